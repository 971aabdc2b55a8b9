"""The Secrets and ConfigMaps of a cluster by their names, also those that controllers make."""

from __future__ import annotations

import dataclasses
import os.path
from collections.abc import Iterator, Sequence

from healthguard.kubernetes.environment.makers import MAKERS, made_secrets
from healthguard.kubernetes.environment.near_misses import NearNames
from healthguard.kubernetes.environment.stored import Content, config_map_content, secret_content
from healthguard.kubernetes.memo import Memo, memoized
from healthguard.kubernetes.reading.objects import Cluster


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Contents of the same kind and name, which belong together.

    Args:
        contents: the contents.
        object_kinds: the kinds of their objects, such as Secret and ExternalSecret.
        memo: the results of functions about it; see :func:`healthguard.kubernetes.memo.memoized`.
    """

    contents: list[Content] = dataclasses.field(default_factory=list)
    object_kinds: set[str] = dataclasses.field(default_factory=set)
    memo: Memo = dataclasses.field(default_factory=dict, repr=False)

    def add(self, content: Content) -> None:
        """Add a content."""
        self.contents.append(content)
        self.object_kinds.add(content.object.kind)


class Namesakes:
    """The contents of the same kind and name that may be in a namespace, grouped by their folders and files.

    Args:
        entries: the contents, each with the namespace that it states.
        namespace: the namespace; an empty string if it is not known.
    """

    def __init__(self, entries: Sequence[tuple[str, Content]], namespace: str) -> None:
        self._all = Group()
        self._in_namespace = Group()
        self._by_folder: dict[str, Group] = {}
        self._by_file: dict[str, Group] = {}
        for place, content in entries:
            self._all.add(content)
            if place == namespace:
                file = content.object.file
                self._in_namespace.add(content)
                self._by_folder.setdefault(os.path.dirname(file), Group()).add(content)
                self._by_file.setdefault(file, Group()).add(content)

    def closest(self, file: str) -> Group:
        """Return the contents that belong to a workload in a file.

        Inputs often contain an object once per environment, without a namespace: then the one in the same file or
        folder is meant. Objects of different kinds, like a Secret and an ExternalSecret that extends it, belong
        together.
        """
        close = (self._by_file.get(file), self._by_folder.get(os.path.dirname(file)), self._in_namespace)
        return next(
            (group for group in close if group is not None and group.object_kinds == self._all.object_kinds), self._all
        )


class SourceIndex:
    """The contents of the Secrets and ConfigMaps of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._contents: dict[tuple[str, str], dict[str, list[Content]]] = {}
        self._namesakes: dict[tuple[str, str, str], Namesakes] = {}
        self._targets: dict[str, set[str]] = {}
        for obj in cluster.of_kind("Secret"):
            self._add("Secret", obj.name, obj.namespace, secret_content(obj))
        for obj in cluster.of_kind("ConfigMap"):
            self._add("ConfigMap", obj.name, obj.namespace, config_map_content(obj))
        for obj in cluster.of_kind(*MAKERS):
            for made in made_secrets(obj):
                self._add("Secret", made.name, made.namespace, made.content)
                self._targets.setdefault(obj.name, set()).add(made.name)
        self._near = {
            each: NearNames(name for kind, name in self._contents if kind == each) for each in ("Secret", "ConfigMap")
        }

    def _add(self, kind: str, name: str, namespace: str, content: Content) -> None:
        if name:
            self._contents.setdefault((kind, name), {}).setdefault(namespace, []).append(content)

    def namesakes(self, kind: str, name: str, namespace: str) -> Namesakes:
        """Return the contents with this name that may be in a namespace."""
        key = (kind, name, namespace)
        if key not in self._namesakes:
            self._namesakes[key] = Namesakes(list(self._in_namespace(*key)), namespace)
        return self._namesakes[key]

    def in_namespace(self, kind: str, name: str, namespace: str) -> Iterator[Content]:
        """Yield the contents with this name that may be in a namespace."""
        return (content for _, content in self._in_namespace(kind, name, namespace))

    def _in_namespace(self, kind: str, name: str, namespace: str) -> Iterator[tuple[str, Content]]:
        """Yield these contents, each with the namespace that it states."""
        found = self._contents.get((kind, name), {})
        for place in dict.fromkeys((namespace, "")) if namespace else found:
            yield from ((place, content) for content in found.get(place, ()))

    def named(self, kind: str, name: str) -> Iterator[Content]:
        """Yield the contents with this name in any namespace."""
        for contents in self._contents.get((kind, name), {}).values():
            yield from contents

    def targets(self, kind: str, name: str) -> list[str]:
        """Return the names of the Secrets that a maker with this name makes."""
        return sorted(self._targets.get(name, ())) if kind == "Secret" else []

    def similar(self, kind: str, name: str) -> list[tuple[str, str]]:
        """Return the kind and the name of the objects whose name a reference probably means."""
        return [(kind, each) for each in self._near[kind].near(name)]


@memoized
def index_of(cluster: Cluster) -> SourceIndex:
    """Return the index of a cluster."""
    return SourceIndex(cluster)
