"""The Secrets and ConfigMaps that a container refers to."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from healthguard.kubernetes.environment.alternatives import meant_object
from healthguard.kubernetes.environment.index import Group, index_of
from healthguard.kubernetes.environment.references import SourceReference, references_of
from healthguard.kubernetes.environment.stored import Content, StoredValue
from healthguard.kubernetes.memo import Memo, memoized
from healthguard.kubernetes.reading.objects import Cluster, KubernetesObject
from healthguard.kubernetes.workloads import Container, Workload


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """A Secret or a ConfigMap that a container refers to.

    Args:
        contents: the objects that give it its keys; empty if the inputs contain none.
        values: its keys.
        is_open: True if there may be further keys.
        near: an object that the reference probably means; None if there is none.

    Attributes:
        memo: the results of functions about it; see :func:`healthguard.kubernetes.memo.memoized`.
    """

    contents: tuple[Content, ...]
    values: Mapping[str, StoredValue]
    is_open: bool
    near: KubernetesObject | None = None
    memo: Memo = dataclasses.field(init=False, default_factory=dict, repr=False, compare=False)

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
    found, reference = _found(cluster), (kind, name, key, id(workload.spec))
    if reference not in found:
        namesakes = index_of(cluster).namesakes(kind, name, workload.object.namespace)
        source = _source(namesakes.closest(workload.object.file))
        near = None if source.contents else meant_object(kind, name, key, workload, cluster)
        found[reference] = source if near is None else dataclasses.replace(source, near=near)
    return found[reference]


@memoized
def _found(cluster: Cluster) -> dict[tuple[str, str, str | None, int], Source]:
    """Return the sources that have been found so far, by their references and the ids of the pods."""
    return {}


@memoized
def _source(group: Group) -> Source:
    """Return the source that a group of contents is. All workloads that use the group share it."""
    values, is_open = _combined(group.contents)
    return Source(tuple(group.contents), values, is_open or not group.contents)


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


def source_of(reference: SourceReference, workload: Workload, cluster: Cluster) -> Source:
    """Return the Secret or ConfigMap that a reference names."""
    return find_source(reference.kind, reference.name, workload, cluster, reference.key)


def used_sources(container: Container, cluster: Cluster) -> Iterator[Source]:
    """Yield the Secrets and ConfigMaps to which a container refers."""
    for reference in references_of(container):
        yield source_of(reference, container.workload, cluster)
