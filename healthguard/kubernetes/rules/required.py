"""Rules on the variables that the declaration requires."""

from __future__ import annotations

from collections.abc import Iterator

from healthguard.kubernetes.environment.near_misses import is_near
from healthguard.kubernetes.environment.references import (
    SourceReference,
    reference_at,
    references_of,
)
from healthguard.kubernetes.environment.sources import source_of
from healthguard.kubernetes.environment.variables import Presence, Variable
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.reading.nodes import MapNode, Node
from healthguard.kubernetes.reading.objects import KubernetesObject
from healthguard.kubernetes.rules.external_secrets import dropping_template
from healthguard.kubernetes.rules.needs import Need, distinct_needs, is_application
from healthguard.kubernetes.rules.rule import ContainerSubject, Rule, container_rule

_ADD = (
    "Add an entry to env with a secretKeyRef or a configMapKeyRef, or a source with this key to envFrom. Check that an "
    "overlay does not replace the list."
)


@container_rule(
    "variable-missing", Severity.ERROR, "A container does not get a variable that the declaration requires."
)
def find_missing(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the required variables that a container does not get."""
    for need in distinct_needs(subject):
        if need.presence is not Presence.ABSENT or not is_application(subject):
            continue
        if _is_reported_elsewhere(need, subject):
            continue
        yield _missing(need, subject, rule)


def _is_reported_elsewhere(need: Need, subject: ContainerSubject) -> bool:
    """Return True if the variable is absent because of a reference that prevents the start of the container."""
    workload, cluster = subject.container.workload, subject.cluster
    for reference in references_of(subject.container):
        source = source_of(reference, workload, cluster)
        if reference.key is None and source.is_missing and not reference.is_optional:
            return True
        keys = [name.removeprefix(reference.prefix) for name in need.requirement.names]
        if reference.key is None and any(dropping_template(source, key) for key in keys):
            return True
    variables = map(subject.environment.variable, need.requirement.names)
    references = (reference_at(each.entry, subject.container) for each in variables if each is not None)
    return any(
        not reference.is_optional or source_of(reference, workload, cluster).is_missing
        for reference in filter(None, references)
    )


def _missing(need: Need, subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Finding:
    name, container = need.requirement.names[0], subject.container
    message = f"{container.label} does not get {need.names}.{need.reason}"
    obj: KubernetesObject = container.workload.object
    node: Node = container.node
    line, remedy = None, _ADD
    if optional := _optional_entry(need, subject):
        message = f"{container.label} does not get {optional.name}: {optional.origin} does not exist.{need.reason}"
        node = _key_of(optional.entry, subject)
        remedy = 'Fix the reference, and remove "optional: true", which hides that the variable is missing.'
    elif near := _misspelled(need, subject):
        written, obj, node, line = near
        message = f"{container.label} does not get {need.names}, but there is {written}.{need.reason}"
        remedy = f"Rename {written} to {name}, or fix the prefix. Names of variables are case-sensitive."
    elif "env" in container.node.items:
        line = container.node.line_of("env")
    return rule.finding(message, remedy, obj=obj, node=node, line=line, container=container.name, variable=name)


def _optional_entry(need: Need, subject: ContainerSubject) -> Variable | None:
    for name in need.requirement.names:
        variable = subject.environment.variable(name)
        if variable is not None and variable.presence is Presence.ABSENT:
            return variable
    return None


def _key_of(entry: Node, subject: ContainerSubject) -> Node:
    """Return the key that an entry of env refers to; the entry itself if it refers to none."""
    reference = reference_at(entry, subject.container)
    return entry if reference is None else reference.node_at("key")


def _misspelled(need: Need, subject: ContainerSubject) -> tuple[str, KubernetesObject, Node, int | None] | None:
    """Return the name that is probably meant to be the required one, and where it is written."""
    required = {name for requirement in subject.requirements.variables for name in requirement.names}
    for variable in subject.environment.variables.values():
        if variable.name in required or not any(is_near(name, variable.name) for name in need.requirement.names):
            continue
        obj, entry = subject.container.workload.object, variable.entry
        if (written := entry.at("name") or entry.at("prefix")) is not None:
            return variable.name, obj, written, None
        if variable.value_object is not None and variable.value_node is not None:
            return variable.name, variable.value_object, variable.value_node, None
    return None


@container_rule(
    "variable-unknown", Severity.UNKNOWN, "The inputs do not show that a container gets a variable that is required."
)
def find_unknown(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the required variables that depend on objects that are not in the inputs."""
    for need in distinct_needs(subject):
        if need.presence is Presence.UNKNOWABLE and is_application(subject):
            variables = map(subject.environment.variable, need.requirement.names)
            variable = next(filter(None, variables), None)
            origin = "a source whose keys the inputs do not contain" if variable is None else variable.origin
            yield subject.finding(
                rule,
                f"{need.names} depends on {origin}.{need.reason}",
                "Add the object to the inputs, or check by hand that it has the key.",
                node=subject.container.node if variable is None else variable.entry,
                variable=need.requirement.names[0],
            )


@container_rule("variable-optional", Severity.WARNING, "A reference for a required variable is optional.")
def find_optional(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the optional references from which a required variable comes."""
    for reference, names in _optional_references(subject):
        verb = "is" if len(names) == 1 else "are"
        yield subject.finding(
            rule,
            f"{', '.join(names)} {verb} required, but the reference to {reference.label} is optional: without it, the "
            "container starts nevertheless.",
            'Remove "optional: true". The rollout then stops if the object or the key is missing.',
            node=reference.node_at("optional"),
            variable=names[0],
        )


def _optional_references(subject: ContainerSubject) -> list[tuple[SourceReference, list[str]]]:
    """Return the optional references, each with the required variables that come from it."""
    found: dict[int, tuple[SourceReference, list[str]]] = {}
    for need in distinct_needs(subject) if is_application(subject) else ():
        variable = _provider(need, subject)
        entry = variable.entry if variable is not None else None
        if variable is None or not isinstance(entry, MapNode):
            continue
        reference = reference_at(entry, subject.container)
        if reference is not None and reference.is_optional:
            found.setdefault(id(entry), (reference, []))[1].append(variable.name)
    return list(found.values())


def _provider(need: Need, subject: ContainerSubject) -> Variable | None:
    """Return the variable that is read, or the only one that may be."""
    if need.variable is not None:
        return need.variable
    named = [each for name in need.requirement.names if (each := subject.environment.variable(name)) is not None]
    return named[0] if len(named) == 1 and named[0].presence is Presence.UNKNOWABLE else None


@container_rule("reference-unknown", Severity.UNKNOWN, "A Secret or ConfigMap is not in the inputs.")
def find_unknown_sources(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the objects of which the inputs contain nothing, at the first reference to each."""
    seen: set[tuple[str, str]] = set()
    for reference in references_of(subject.container):
        source = source_of(reference, subject.container.workload, subject.cluster)
        is_first = (reference.kind, reference.name) not in seen
        seen.add((reference.kind, reference.name))
        if reference.name and is_first and not source.contents and not source.is_missing:
            yield subject.finding(
                rule,
                f"{reference.label} is not in the inputs, so its keys and values were not checked.",
                "Add it to the inputs if it is under version control.",
                node=reference.node_at("name"),
                variable=reference.variable,
            )
