"""The references of a container to keys of Secrets and ConfigMaps."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from healthguard.kubernetes.memo import memoized
from healthguard.kubernetes.reading.nodes import MapNode, Node, ScalarNode
from healthguard.kubernetes.workloads import Container, Workload


@dataclasses.dataclass(frozen=True, slots=True)
class SourceReference:
    """A reference to a Secret or a ConfigMap.

    Args:
        kind: Secret or ConfigMap.
        name: the name of the object; an empty string if it is not stated.
        key: the key; None for all keys, as in ``envFrom``.
        is_optional: True if the container also starts without it.
        entry: the entry of ``env`` or ``envFrom``.
        node: the reference itself, with ``name`` and ``key``.
        variable: the variable that is set from it; an empty string for ``envFrom``.
        prefix: the prefix of ``envFrom``.
    """

    kind: str
    name: str
    key: str | None
    is_optional: bool
    entry: MapNode
    node: MapNode
    variable: str = ""
    prefix: str = ""

    @property
    def label(self) -> str:
        """The object, for people."""
        return f'{self.kind} "{self.name}"'

    def node_at(self, field: str) -> Node:
        """Return the value of a field of the reference; the reference itself if it has none."""
        return self.node.at(field) or self.node


_ENV_FROM = {"configMapRef": "ConfigMap", "secretRef": "Secret"}
_VALUE_FROM = {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}


@memoized
def references_of(container: Container) -> Sequence[SourceReference]:
    """Return the references of a container."""
    found = [env_from_reference(entry) for entry in container.node.maps_at("envFrom")]
    found += [value_from_reference(entry) for entry in container.node.maps_at("env")]
    return [reference for reference in found if reference is not None]


def reference_at(entry: Node, container: Container) -> SourceReference | None:
    """Return the reference of an entry of ``env`` or ``envFrom`` of a container; None if it has none."""
    return _references_by_entry(container).get(id(entry))


@memoized
def _references_by_entry(container: Container) -> Mapping[int, SourceReference]:
    return {id(reference.entry): reference for reference in references_of(container)}


def env_from_reference(entry: MapNode) -> SourceReference | None:
    """Return the reference of an entry of ``envFrom``; None if it has none."""
    for field, kind in _ENV_FROM.items():
        if (node := entry.map_at(field)) is not None:
            name, prefix = node.text_at("name") or "", entry.text_at("prefix") or ""
            return SourceReference(kind, name, None, is_true(node.at("optional")), entry, node, prefix=prefix)
    return None


def misspelled_references(entry: MapNode) -> Iterator[SourceReference]:
    """Yield the references that an entry of ``envFrom`` probably means, if its field does not exist."""
    for field, node in entry.items.items():
        kind = next((kind for kind in ("ConfigMap", "Secret") if field.lower().startswith(kind.lower())), None)
        if kind is not None and isinstance(node, MapNode) and (name := node.text_at("name")):
            yield SourceReference(kind, name, None, is_optional=False, entry=entry, node=node)


def value_from_reference(entry: MapNode) -> SourceReference | None:
    """Return the reference of an entry of ``env`` to a key; None if it has none."""
    source = entry.map_at("valueFrom")
    if source is None:
        return None
    for field, kind in _VALUE_FROM.items():
        if (node := source.map_at(field)) is not None:
            name, key = node.text_at("name") or "", node.text_at("key")
            variable = entry.text_at("name") or ""
            return SourceReference(kind, name, key or "", is_true(node.at("optional")), entry, node, variable)
    return None


@memoized
def used_names(workload: Workload) -> frozenset[tuple[str, str]]:
    """Return the kind and the name of each object that a container of a workload refers to, or that it mounts."""
    references = (each for container in workload.containers() for each in references_of(container))
    return frozenset((*((each.kind, each.name) for each in references), *_mounted_sources(workload)))


def _mounted_sources(workload: Workload) -> Iterator[tuple[str, str]]:
    """Yield the kind and the name of each Secret and ConfigMap that a workload mounts as files."""
    for volume in workload.spec.maps_at("volumes"):
        yield "ConfigMap", volume.text_at("configMap", "name") or ""
        yield "Secret", volume.text_at("secret", "secretName") or ""
        for source in volume.maps_at("projected", "sources"):
            yield "ConfigMap", source.text_at("configMap", "name") or ""
            yield "Secret", source.text_at("secret", "name") or ""


def is_true(node: Node | None) -> bool:
    """Return True if a value is the boolean true."""
    return isinstance(node, ScalarNode) and node.value is True
