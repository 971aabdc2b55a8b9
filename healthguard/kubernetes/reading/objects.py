"""The objects of a cluster that the inputs contain, and the way to find them by name."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator

from healthguard.kubernetes.memo import Memo
from healthguard.kubernetes.reading.nodes import MapNode

_NAMESPACE = re.compile(r"[\w.-]+")


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class KubernetesObject:
    """An object in one of the inputs.

    Args:
        node: its content.
        file: the path of the file as the user gave it; ``<stdin>`` for standard input.
        kind: its kind, such as Deployment.
        api_version: its apiVersion.
        name: its name; an empty string if it has none.
        namespace: its namespace; an empty string if it states none, or a placeholder that a tool replaces.
        template: the template from which Helm has rendered it, as its comment ``# Source:`` states it; otherwise an
            empty string. The lines are those of ``file``: Helm does not state the lines of the template.
        is_partial: True if it may have further keys, because a file from which they are generated is not there.

    Attributes:
        memo: the results of functions about it; see :func:`healthguard.kubernetes.memo.memoized`.
    """

    node: MapNode
    file: str
    kind: str
    api_version: str
    name: str
    namespace: str
    template: str = ""
    is_partial: bool = False
    memo: Memo = dataclasses.field(init=False, default_factory=dict, repr=False)

    @property
    def label(self) -> str:
        """The kind and the name, as kubectl writes them for people."""
        return f"{self.kind} {self.name}" if self.name else self.kind

    @classmethod
    def of(cls, node: MapNode, file: str) -> KubernetesObject | None:
        """Return the object in a document; None if the document is not an object of Kubernetes."""
        kind, api_version = node.text_at("kind"), node.text_at("apiVersion")
        if not kind or not api_version:
            return None
        name = node.text_at("metadata", "name") or node.text_at("metadata", "generateName") or ""
        return cls(node, file, kind, api_version, name, namespace_of(node))


def namespace_of(node: MapNode) -> str:
    """Return the namespace that an object states; an empty string if it states none, or a placeholder."""
    namespace = node.text_at("metadata", "namespace") or ""
    return namespace if _NAMESPACE.fullmatch(namespace) else ""


class Cluster:
    """All objects of the inputs, as the cluster that they are applied to would hold them."""

    def __init__(self, objects: Iterable[KubernetesObject]) -> None:
        self.objects = tuple(objects)
        self.memo: Memo = {}
        """The results of functions about the objects; see :func:`healthguard.kubernetes.memo.memoized`."""
        self._by_kind: dict[str, list[KubernetesObject]] = {}
        self._by_name: dict[tuple[str, str], list[KubernetesObject]] = {}
        for each in self.objects:
            self._by_kind.setdefault(each.kind, []).append(each)
            self._by_name.setdefault((each.kind, each.name), []).append(each)

    def of_kind(self, *kinds: str) -> Iterator[KubernetesObject]:
        """Yield the objects of these kinds."""
        for kind in kinds:
            yield from self._by_kind.get(kind, ())

    def named(self, kind: str, name: str, namespace: str) -> Iterator[KubernetesObject]:
        """Yield the objects of this kind and name in a namespace.

        An object that states no namespace is in that of any other: kubectl determines it when it is applied.
        """
        return (each for each in self._by_name.get((kind, name), ()) if is_same_namespace(each.namespace, namespace))

    def named_anywhere(self, kind: str, name: str) -> Iterator[KubernetesObject]:
        """Yield the objects of this kind and name in any namespace."""
        return iter(self._by_name.get((kind, name), ()))


def is_same_namespace(one: str, other: str) -> bool:
    """Return True if two objects may be in the same namespace; an empty string means that none is stated."""
    return not one or not other or one == other
