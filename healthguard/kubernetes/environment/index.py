"""The Secrets and ConfigMaps of a cluster by their names, also those that controllers make."""

from __future__ import annotations

from collections.abc import Iterator

from healthguard.kubernetes.environment.makers import MAKERS, made_secrets
from healthguard.kubernetes.environment.near_misses import NearNames
from healthguard.kubernetes.environment.stored import Content, config_map_content, secret_content
from healthguard.kubernetes.memo import memoized
from healthguard.kubernetes.reading.objects import Cluster


class SourceIndex:
    """The contents of the Secrets and ConfigMaps of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._contents: dict[tuple[str, str], dict[str, list[Content]]] = {}
        self._targets: dict[str, set[str]] = {}
        self._similar: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self.sources: dict[tuple[object, ...], object] = {}
        """The sources that have been found, so that each rule does not search them again."""
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

    def in_namespace(self, kind: str, name: str, namespace: str) -> list[tuple[str, Content]]:
        """Return the contents with this name that may be in a namespace, each with the namespace that it states."""
        found = self._contents.get((kind, name), {})
        places = dict.fromkeys((namespace, "")) if namespace else found
        return [(place, content) for place in places for content in found.get(place, ())]

    def named(self, kind: str, name: str) -> Iterator[Content]:
        """Yield the contents with this name in any namespace."""
        for contents in self._contents.get((kind, name), {}).values():
            yield from contents

    def targets(self, kind: str, name: str) -> list[str]:
        """Return the names of the Secrets that a maker with this name makes."""
        return sorted(self._targets.get(name, ())) if kind == "Secret" else []

    def similar(self, kind: str, name: str) -> list[tuple[str, str]]:
        """Return the kind and the name of the objects whose name a reference probably means."""
        if (kind, name) not in self._similar:
            self._similar[kind, name] = [(kind, each) for each in self._near[kind].near(name)]
        return self._similar[kind, name]


@memoized
def index_of(cluster: Cluster) -> SourceIndex:
    """Return the index of a cluster."""
    return SourceIndex(cluster)
