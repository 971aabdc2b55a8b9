"""Rules on misspelled and misplaced fields around env, which the API server refuses or ignores."""

from __future__ import annotations

from collections.abc import Iterator

from healthguard.kubernetes.environment.fields import (
    ENTRY_FIELDS,
    SOURCE_FIELDS,
    is_not_list,
    meant_field,
    misplaced_fields,
)
from healthguard.kubernetes.environment.near_misses import is_near
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.reading.nodes import MapNode
from healthguard.kubernetes.rules.rule import ContainerSubject, ObjectSubject, Rule, container_rule, object_rule
from healthguard.kubernetes.workloads import workloads_of

_SOURCE = ("configMapKeyRef", "secretKeyRef", "fieldRef", "resourceFieldRef", "fileKeyRef")
_FIELDS: dict[str, tuple[str, ...]] = {
    "configMapKeyRef": ("name", "key", "optional"),
    "secretKeyRef": ("name", "key", "optional"),
    "configMapRef": ("name", "optional"),
    "secretRef": ("name", "optional"),
    "fieldRef": ("apiVersion", "fieldPath"),
    "resourceFieldRef": ("containerName", "resource", "divisor"),
    "fileKeyRef": ("volumeName", "path", "key", "optional"),
}


@container_rule("env-field-unknown", Severity.ERROR, "A field in env or envFrom does not exist.")
def find_unknown_fields(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the fields of the entries of env and envFrom that Kubernetes does not have."""
    for where, node, fields in _mappings(subject.container.node):
        for field in node.items:
            if field not in fields:
                meant = next((name for name in fields if is_near(name, field)), None)
                others = f"Move or remove it. The fields are {', '.join(fields)}."
                texts = (f'{where} has no field "{field}".', f'Rename it to "{meant}".' if meant else others)
                yield _finding(rule, subject, node, field, texts=texts)


def _mappings(container: MapNode) -> Iterator[tuple[str, MapNode, tuple[str, ...]]]:
    """Yield the mappings in env and envFrom, each with its name for people and the fields that it may have."""
    for entry in container.maps_at("env"):
        yield "An entry of env", entry, ENTRY_FIELDS
        if (source := entry.map_at("valueFrom")) is not None:
            yield "valueFrom", source, _SOURCE
            yield from _references(source)
    for entry in container.maps_at("envFrom"):
        yield "An entry of envFrom", entry, SOURCE_FIELDS
        yield from _references(entry)


def _references(node: MapNode) -> Iterator[tuple[str, MapNode, tuple[str, ...]]]:
    for name, fields in _FIELDS.items():
        if name in node.items and (reference := node.map_at(name)) is not None:
            yield name, reference, fields


@container_rule(
    "env-misspelled", Severity.ERROR, "The field env or envFrom of a container is misspelled or not a list."
)
def find_misspelled_env(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the fields of a container that are meant to be env or envFrom, and those that are not lists."""
    label, node = subject.container.label, subject.container.node
    for field, value in node.items.items():
        if is_not_list(field, value):
            message, remedy = f"{field} of {label} is not a list.", 'Begin each entry with "- name:".'
        elif (meant := meant_field(field)) is not None:
            message, remedy = f'{label} has a field "{field}", which does not exist.', f'Rename it to "{meant}".'
        else:
            continue
        yield _finding(rule, subject, node, field, texts=(message, remedy))


@object_rule("env-misplaced", Severity.ERROR, "The field env or envFrom is not in a container.")
def find_misplaced_env(subject: ObjectSubject, rule: Rule[ObjectSubject]) -> Iterator[Finding]:
    """Yield env and envFrom in the spec of a workload or of a pod, where they have no effect."""
    for workload in workloads_of(subject.object):
        for place, field in misplaced_fields(workload):
            yield rule.finding(
                f"{field} is not in a container of {subject.object.label}, so it has no effect.",
                "Move it into the container, at the level of image.",
                obj=subject.object,
                node=place.items[field],
                line=place.line_of(field),
            )


def _finding(
    rule: Rule[ContainerSubject], subject: ContainerSubject, node: MapNode, field: str, *, texts: tuple[str, str]
) -> Finding:
    return subject.finding(
        rule,
        *texts,
        node=node.items[field],
        line=node.line_of(field),
    )
