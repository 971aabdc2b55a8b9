"""The objects that references to a Secret or ConfigMap probably mean, if the inputs do not contain the named one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from healthguard.kubernetes.environment.deferred import is_deferred
from healthguard.kubernetes.environment.index import SourceIndex, index_of
from healthguard.kubernetes.environment.mentions import is_mentioned
from healthguard.kubernetes.environment.references import used_names
from healthguard.kubernetes.environment.stored import Content
from healthguard.kubernetes.memo import memoized
from healthguard.kubernetes.reading.objects import Cluster, KubernetesObject
from healthguard.kubernetes.workloads import Workload

_COPIED = ("reflect", "replicat", "kubed", "sync")
"""Parts of the annotations with which controllers copy an object to other namespaces."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Alternative:
    """Objects of one kind and name that may be meant.

    Args:
        kind_and_name: their kind and name, by which the pod may use them as well; None if they have the name that the
            reference states.
        first: the first object.
        by_key: the first object with each key.
    """

    kind_and_name: tuple[str, str] | None
    first: KubernetesObject
    by_key: Mapping[str, KubernetesObject]


def meant_object(
    kind: str, name: str, key: str | None, workload: Workload, cluster: Cluster
) -> KubernetesObject | None:
    """Return the object that a reference to a missing one probably means; None if it may exist elsewhere.

    An object that the pod also uses under its own kind and name is only meant if it has the key of the reference.

    Args:
        kind: the kind that the reference states.
        name: the name that it states.
        key: the key that it states; None for all keys.
        workload: the workload with the reference.
        cluster: all objects of the inputs.
    """
    for each in _alternatives(kind, name, workload.object.namespace, cluster):
        if each.kind_and_name not in used_names(workload):
            return each.first
        if key is not None and key in each.by_key:
            return each.by_key[key]
    return None


def _alternatives(kind: str, name: str, namespace: str, cluster: Cluster) -> Sequence[_Alternative]:
    """Return the objects that may be meant, the most probable ones first. All workloads of a namespace share them."""
    found, place = _found(cluster), (kind, name, namespace)
    if place not in found:
        is_elsewhere = is_deferred(name) or is_mentioned(name, cluster)
        found[place] = () if is_elsewhere else tuple(_find(kind, name, namespace, index_of(cluster)))
    return found[place]


@memoized
def _found(cluster: Cluster) -> dict[tuple[str, str, str], Sequence[_Alternative]]:
    """Return the alternatives that have been searched so far, by kind, name and namespace."""
    return {}


def _find(kind: str, name: str, namespace: str, index: SourceIndex) -> Iterator[_Alternative]:
    """Yield the objects of the same name elsewhere, those of the other kind, and those with a similar name."""
    yield from _alternative(None, (content for content in index.named(kind, name) if not _is_copied(content.object)))
    other = ("ConfigMap" if kind == "Secret" else "Secret", name)
    for each in (other, *((kind, target) for target in index.targets(kind, name)), *index.similar(kind, name)):
        yield from _alternative(each, index.in_namespace(*each, namespace))


def _alternative(kind_and_name: tuple[str, str] | None, contents: Iterable[Content]) -> Iterator[_Alternative]:
    """Yield the alternative that contents are, if there are any."""
    first: KubernetesObject | None = None
    by_key: dict[str, KubernetesObject] = {}
    for content in contents:
        first = first or content.object
        for key in content.values:
            by_key.setdefault(key, content.object)
    if first is not None:
        yield _Alternative(kind_and_name, first, by_key)


def _is_copied(obj: KubernetesObject) -> bool:
    annotations = obj.node.map_at("metadata", "annotations")
    return annotations is not None and any(part in name for name in annotations.items for part in _COPIED)
