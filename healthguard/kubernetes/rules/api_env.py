"""Rules on env and envFrom as the API server validates them.

https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/validation/validation.go
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from healthguard.kubernetes.environment.deferred import is_deferred
from healthguard.kubernetes.environment.references import SourceReference, references_of
from healthguard.kubernetes.environment.sources import source_of
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.reading.nodes import ListNode, MapNode, Node, ScalarNode
from healthguard.kubernetes.rules.rule import ContainerSubject, Rule, container_rule

_SOURCES = ("configMapKeyRef", "secretKeyRef", "fieldRef", "resourceFieldRef", "fileKeyRef")
_LISTS = ("configMapRef", "secretRef")
_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_VARIABLE = re.compile(r"[ -<>-~]+")
_QUOTE = "Put the value in quotes: Kubernetes accepts only text here."


@container_rule(
    "env-not-text", Severity.ERROR, "A value in env is a number or a boolean, which the API server refuses."
)
def find_values_without_quotes(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the values of env that are not text."""
    for entry in subject.container.node.maps_at("env"):
        value = entry.at("value")
        if value is not None and (kind := kind_of(value)) is not None:
            name = entry.text_at("name") or "A variable"
            texts = (f"The value of {name} is {kind}, not text.", _QUOTE)
            yield _finding(rule, subject, value, texts, entry=entry)


def kind_of(node: Node) -> str | None:
    """Return the kind of a value that must be text, for a sentence; None if it is text or null."""
    if isinstance(node, MapNode):
        return "a mapping"
    if isinstance(node, ListNode):
        return "a list"
    value = node.value if isinstance(node, ScalarNode) else None
    if value is None or isinstance(value, str):
        return None
    return "a boolean" if isinstance(value, bool) else "a number"


@container_rule("env-entry-invalid", Severity.ERROR, "An entry of env or envFrom is not a mapping.")
def find_invalid_entries(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the entries that are texts, like ``- NAME=value`` of Docker Compose, or anything else."""
    for field in ("env", "envFrom"):
        entries = subject.container.node.at(field)
        for entry in entries.items if isinstance(entries, ListNode) else ():
            if not isinstance(entry, MapNode):
                yield subject.finding(
                    rule,
                    f"An entry of {field} is not a mapping, so the API server refuses it.",
                    'Write "- name: NAME" and "value: VALUE" on two lines. NAME=VALUE is the form of Docker Compose.',
                    node=entry,
                )


@container_rule("env-two-sources", Severity.ERROR, "An entry of env or envFrom has two sources, or none.")
def find_two_sources(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the entries with a value beside ``valueFrom``, and those with two sources or none."""
    remedy = (
        "Keep one of them. kustomize merges the value of a base with the valueFrom of an overlay: set the other one to "
        "null in the overlay."
    )
    for entry in subject.container.node.maps_at("env"):
        message = _sources_message(entry)
        if message is not None:
            key = "value" if "value" in entry.items else "valueFrom"
            yield _finding(rule, subject, entry, (message, remedy), entry=entry, key=key)
    for entry in subject.container.node.maps_at("envFrom"):
        if _count(entry, _LISTS) > 1:
            texts = ("An entry of envFrom has two sources.", "Make two entries of it.")
            yield _finding(rule, subject, entry, texts, entry=entry)


def _sources_message(entry: MapNode) -> str | None:
    """Return the message about an entry of env that does not have exactly one source; None if it has one."""
    name, value, source = entry.text_at("name") or "A variable", entry.at("value"), entry.map_at("valueFrom")
    if source is None:
        return None
    if value is not None and not (isinstance(value, ScalarNode) and value.value in (None, "")):
        return f"{name} has a value and valueFrom."
    if _count(source, _SOURCES) > 1:
        return f"{name} has two sources in valueFrom."
    return None if source.items else f"{name} has an empty valueFrom."


def _count(node: MapNode, names: tuple[str, ...]) -> int:
    return sum(node.map_at(name) is not None for name in names if name in node.items)


@container_rule("env-name-invalid", Severity.ERROR, "A name in env or envFrom is missing or invalid.")
def find_invalid_names(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the names of variables, objects and keys that the API server refuses."""
    for entry in subject.container.node.maps_at("env"):
        name = entry.text_at("name")
        if not name and not isinstance(entry.at("name"), ScalarNode):
            yield _finding(rule, subject, entry, ("An entry of env has no name.", "Add a name."), entry=entry)
        elif name and not _is_valid(_VARIABLE, name):
            message = 'The name of a variable contains "=" or a character that is not printable ASCII.'
            yield _finding(rule, subject, entry, (message, "Fix the name."), entry=entry, key="name")
    for reference in references_of(subject.container):
        label = reference.variable or "An entry of envFrom"
        source = source_of(reference, subject.container.workload, subject.cluster)
        if not _is_valid(_OBJECT_NAME, reference.name) and not source.is_missing:
            message = f"{label} refers to an object {'with an invalid name' if reference.name else 'without a name'}."
            texts = (message, 'Fix the name of the object: lower-case letters, digits, "-" and ".".')
            yield _finding(rule, subject, reference.node, texts, entry=reference.entry, key="name")
        if reference.key is None or _is_valid(_KEY, reference.key):
            continue
        # The rule on missing keys reports any other key that the object does not have.
        is_reported = bool(reference.key) and bool(source.contents) and not source.is_open
        is_misspelled = bool(reference.node.items.keys() - {"name", "key", "optional"}) or _has_misplaced_key(reference)
        if not is_reported and not is_misspelled:
            message = f"{label} refers to {'an invalid key' if reference.key else 'an object without a key'}."
            texts = (message, "Fix the key of the reference.")
            yield _finding(rule, subject, reference.node, texts, entry=reference.entry, key="key")


def _has_misplaced_key(reference: SourceReference) -> bool:
    """Return True if the key stands beside the reference, which the rule on unknown fields reports."""
    around = (reference.entry, reference.entry.map_at("valueFrom"))
    return any(node is not None and "key" in node.items for node in around)


def _is_valid(pattern: re.Pattern[str], text: str) -> bool:
    return pattern.fullmatch(text) is not None or is_deferred(text)


def _finding(
    rule: Rule[ContainerSubject],
    subject: ContainerSubject,
    node: Node,
    texts: tuple[str, str],
    *,
    entry: MapNode,
    key: str = "",
) -> Finding:
    """Return a finding at a value, or at a name in a mapping. ``texts`` are the message and the remedy."""
    return subject.finding(
        rule,
        *texts,
        node=node,
        line=node.line_of(key) if isinstance(node, MapNode) else None,
        variable=entry.text_at("name") or "",
    )
