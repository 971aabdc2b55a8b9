"""Rules on the types of other fields, which the API server refuses if they are wrong."""

from __future__ import annotations

from collections.abc import Iterator

from healthguard.kubernetes.environment.deferred import is_deferred_node
from healthguard.kubernetes.environment.references import references_of
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.reading.nodes import ListNode, Node, ScalarNode
from healthguard.kubernetes.rules.api_env import kind_of
from healthguard.kubernetes.rules.rule import ContainerSubject, ObjectSubject, Rule, container_rule, object_rule
from healthguard.kubernetes.workloads import workloads_of

_QUOTE = "Put the value in quotes: Kubernetes accepts only text here."


@object_rule("metadata-not-text", Severity.ERROR, "An annotation or a label is a number or a boolean.")
def find_metadata_without_quotes(subject: ObjectSubject, rule: Rule[ObjectSubject]) -> Iterator[Finding]:
    """Yield the annotations and labels of an object and of its pod template that are not text."""
    owners = [subject.object.node, *(workload.template for workload in workloads_of(subject.object))]
    for owner in {id(each): each for each in owners}.values():
        for field, word in (("annotations", "annotation"), ("labels", "label")):
            values = owner.map_at("metadata", field)
            for key, node in values.items.items() if values is not None else ():
                if (kind := kind_of(node)) is not None:
                    message = f'The {word} "{key}" of {subject.object.label} is {kind}, not text.'
                    yield rule.finding(message, _QUOTE, obj=subject.object, node=node)


@container_rule("command-not-text", Severity.ERROR, "A part of a command is a number or a boolean.")
def find_commands_without_quotes(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the parts of command and args that are not text."""
    for field in ("command", "args"):
        value = subject.container.node.at(field)
        for item in value.items if isinstance(value, ListNode) else ():
            if (kind := kind_of(item)) is not None:
                message = f"A part of {field} of {subject.container.label} is {kind}, not text."
                yield _finding(subject, rule, item, (message, _QUOTE))


@container_rule("optional-not-boolean", Severity.ERROR, "The field optional of a reference is not a boolean.")
def find_optional_text(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the references whose ``optional`` is a text or a number."""
    for reference in references_of(subject.container):
        node = reference.node.at("optional")
        if node is None or is_deferred_node(node):
            continue
        if not (isinstance(node, ScalarNode) and isinstance(node.value, bool | None)):
            message = f"The field optional of a reference to {reference.label} is not a boolean."
            yield _finding(subject, rule, node, (message, "Write true or false without quotes."))


@container_rule("port-not-number", Severity.ERROR, "A port of a container is not a number.")
def find_port_texts(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the ports of a container that are texts."""
    for port in subject.container.node.maps_at("ports"):
        for field in ("containerPort", "hostPort"):
            node = port.at(field)
            if node is not None and not _is_number(node) and not is_deferred_node(node):
                message = f"{field} of {subject.container.label} is not a number."
                yield _finding(subject, rule, node, (message, "Write the number without quotes."))


def _is_number(node: Node) -> bool:
    value = node.value if isinstance(node, ScalarNode) else ""
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _finding(subject: ContainerSubject, rule: Rule[ContainerSubject], node: Node, texts: tuple[str, str]) -> Finding:
    return subject.finding(
        rule,
        *texts,
        node=node,
    )
