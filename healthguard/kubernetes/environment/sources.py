"""The Secrets and ConfigMaps that a container refers to."""

from __future__ import annotations

import dataclasses
import os.path
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from healthguard.kubernetes.environment.deferred import is_deferred
from healthguard.kubernetes.environment.index import index_of
from healthguard.kubernetes.environment.mentions import is_mentioned
from healthguard.kubernetes.environment.references import SourceReference, references_of, used_names
from healthguard.kubernetes.environment.stored import Content, StoredValue
from healthguard.kubernetes.reading.objects import Cluster, KubernetesObject
from healthguard.kubernetes.workloads import Container, Workload

_COPIED = ("reflect", "replicat", "kubed", "sync")
"""Parts of the annotations with which controllers copy an object to other namespaces."""


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """A Secret or a ConfigMap that a container refers to.

    Args:
        kind: Secret or ConfigMap.
        name: its name.
        contents: the objects that give it its keys; empty if the inputs contain none.
        values: its keys.
        is_open: True if there may be further keys.
        near: an object that the reference probably means; None if there is none.
    """

    kind: str
    name: str
    contents: tuple[Content, ...]
    values: Mapping[str, StoredValue]
    is_open: bool
    near: KubernetesObject | None = None

    @property
    def is_missing(self) -> bool:
        """True if nothing provides the object, and another one is probably meant."""
        return not self.contents and self.near is not None

    def may_provide(self, key: str) -> bool:
        """Return True if the object may have a key that the inputs do not show."""
        return self.is_open and key not in self.values


def find_source(kind: str, name: str, workload: Workload, cluster: Cluster, key: str | None = None) -> Source:
    """Return the Secret or ConfigMap with this name in the namespace of a workload.

    Args:
        kind: Secret or ConfigMap.
        name: its name.
        workload: the workload that refers to it.
        cluster: all objects of the inputs.
        key: the key that the reference names; it helps to find the object that a misspelled name means.
    """
    cache = index_of(cluster).sources
    reference = (kind, name, key, id(workload.spec))
    if reference not in cache:
        cache[reference] = _found(kind, name, workload, cluster, key)
    return cast(Source, cache[reference])


def _found(kind: str, name: str, workload: Workload, cluster: Cluster, key: str | None) -> Source:
    cache = index_of(cluster).sources
    place = (kind, name, workload.object.namespace, workload.object.file)
    if place not in cache:
        entries = index_of(cluster).in_namespace(kind, name, workload.object.namespace)
        contents = _closest(entries, workload)
        values, is_open = _combined(contents)
        cache[place] = Source(kind, name, contents, values, is_open or not contents)
    found = cast(Source, cache[place])
    return found if found.contents else dataclasses.replace(found, near=_near(kind, name, workload, cluster, key))


def _closest(entries: Sequence[tuple[str, Content]], workload: Workload) -> tuple[Content, ...]:
    """Return the contents that belong to a workload.

    Inputs often contain an object once per environment, without a namespace: then the one in the same file or folder is
    meant. Objects of different kinds, like a Secret and an ExternalSecret that extends it, belong together.
    """
    place, file = workload.object.namespace, workload.object.file
    in_namespace = [entry for entry in entries if entry[0] == place]
    in_folder = [entry for entry in in_namespace if os.path.dirname(entry[1].object.file) == os.path.dirname(file)]
    in_file = [entry for entry in in_folder if entry[1].object.file == file]
    kinds = _kinds(entries)
    closest = next((close for close in (in_file, in_folder, in_namespace) if _kinds(close) == kinds), entries)
    return tuple(content for _, content in closest)


def _kinds(entries: Sequence[tuple[str, Content]]) -> set[str]:
    return {content.object.kind for _, content in entries}


def _combined(contents: Sequence[Content]) -> tuple[dict[str, StoredValue], bool]:
    """Return the keys of a Secret or ConfigMap to which several objects contribute.

    Of several objects of the same kind, any may be the one that is applied. So a key counts only if all have it, and a
    value only if it is the same in all.
    """
    by_kind: dict[str, list[Content]] = {}
    for content in contents:
        by_kind.setdefault(content.object.kind, []).append(content)
    values: dict[str, StoredValue] = {}
    is_open = False
    for same_kind in by_kind.values():
        first, *others = same_kind
        agreed = dict(first.values)
        for other in others:
            is_open |= agreed.keys() != other.values.keys()
            agreed = {
                key: value if value.text == other.values[key].text else dataclasses.replace(value, text=None)
                for key, value in agreed.items()
                if key in other.values
            }
        values |= agreed
        is_open |= any(content.is_open for content in same_kind)
    if len(by_kind) > 1:
        values = {key: dataclasses.replace(value, text=None) for key, value in values.items()}
    return values, is_open


def _near(kind: str, name: str, workload: Workload, cluster: Cluster, key: str | None) -> KubernetesObject | None:
    """Return the object that a reference to a missing one probably means; None if it may exist elsewhere."""
    if is_deferred(name) or is_mentioned(name, cluster):
        return None
    return next(_candidates(kind, name, workload, cluster, key), None)


def _candidates(
    kind: str, name: str, workload: Workload, cluster: Cluster, key: str | None
) -> Iterator[KubernetesObject]:
    """Yield the objects of the same name elsewhere, those of the other kind, and those with a similar name.

    An object that the pod also uses under its own kind and name is only meant if it has the key of the reference.
    """
    index, namespace = index_of(cluster), workload.object.namespace
    yield from (content.object for content in index.named(kind, name) if not _is_copied(content.object))
    other = ("ConfigMap" if kind == "Secret" else "Secret", name)
    for each in (other, *((kind, target) for target in index.targets(kind, name)), *index.similar(kind, name)):
        for _, content in index.in_namespace(*each, namespace):
            if each not in used_names(workload) or key in content.values:
                yield content.object


def _is_copied(obj: KubernetesObject) -> bool:
    annotations = obj.node.map_at("metadata", "annotations")
    return annotations is not None and any(part in name for name in annotations.items for part in _COPIED)


def source_of(reference: SourceReference, workload: Workload, cluster: Cluster) -> Source:
    """Return the Secret or ConfigMap that a reference names."""
    return find_source(reference.kind, reference.name, workload, cluster, reference.key)


def used_objects(container: Container, cluster: Cluster) -> Iterator[KubernetesObject]:
    """Yield the workload of a container, and the objects that give it its environment, each once."""
    seen = {id(container.workload.object)}
    yield container.workload.object
    for reference in references_of(container):
        for content in source_of(reference, container.workload, cluster).contents:
            if id(content.object) not in seen:
                seen.add(id(content.object))
                yield content.object
