"""The user's files from which a rendered object comes, and the lines of its values in them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from healthguard.kubernetes.reading.kustomization.files import Files
from healthguard.kubernetes.reading.kustomization.generators import (
    Generator,
    generated_object,
    generators_for,
)
from healthguard.kubernetes.reading.kustomization.graph import Graph, Kustomization
from healthguard.kubernetes.reading.kustomization.origins import Origin
from healthguard.kubernetes.reading.kustomization.patches import Patch, Subject, patches_of
from healthguard.kubernetes.reading.kustomization.paths import PathNames
from healthguard.kubernetes.reading.nodes import MapNode
from healthguard.kubernetes.reading.objects import KubernetesObject, is_same_namespace
from healthguard.kubernetes.reading.relocation import relocate, relocate_value

_REMOTE_FIELDS = ("resources", "bases", "components")


class Sources:
    """The files from which a folder is rendered.

    Args:
        graph: the kustomizations.
        files: the reader of files.
        names: the names of the files.
    """

    def __init__(self, graph: Graph, files: Files, names: PathNames) -> None:
        self.graph = graph
        self.files = files
        self.names = names
        self._objects: dict[Path, dict[str, list[KubernetesObject]]] = {}
        self._patches: dict[Path, tuple[Patch, ...]] = {}

    def located(self, node: MapNode, origin: Origin, path: Path) -> KubernetesObject | None:
        """Return a rendered object with the lines of the user's files; None if it is not an object.

        Args:
            node: the rendered object, whose lines are changed.
            origin: the origin that kustomize states.
            path: the path of the origin.
        """
        obj = KubernetesObject.of(node, "")
        if obj is None:
            return None
        is_remote = bool(origin.repository) or not os.path.isfile(path)
        path, source = self._remote_place(origin, path) if is_remote else (path, self._local_source(obj, origin, path))
        # The one that is applied first at the beginning.
        changing = self.graph.changing(path)[::-1]
        generators = generators_for(changing, obj.kind, obj.name)
        layers = [generated_object(generators, self.files, self.names)] if generators else []
        if origin.is_generated and layers and not is_remote:
            source = layers.pop(0)
        self._relocate(obj, source, layers, changing)
        _remove_stand_ins(node, generators)
        is_partial = any(each.missing() for each in generators)
        return dataclasses.replace(obj, file=self.names.of(path), is_partial=is_partial)

    def _relocate(
        self, obj: KubernetesObject, source: MapNode, layers: Iterable[MapNode], changing: Iterable[Kustomization]
    ) -> None:
        """Set the lines of an object to those of its source, of what was merged into it, and of its patches."""
        subject = _subject(obj, source)
        patches = [
            patch
            for kustomization in changing
            for patch in self._patches_of(kustomization)
            if patch.is_applied_to(subject)
        ]
        merged = [patch.content for patch in patches if isinstance(patch.content, MapNode)]
        relocate(obj.node, source, *layers, *merged)
        for patch in patches:
            for tokens, value in patch.operations():
                relocate_value(obj.node, tokens, value)

    def _local_source(self, obj: KubernetesObject, origin: Origin, path: Path) -> MapNode:
        if origin.is_generated:
            return _blank(1)
        if path not in self._objects:
            by_kind: dict[str, list[KubernetesObject]] = {}
            for each in _objects_in(self.files.mappings(path)):
                by_kind.setdefault(each.kind, []).append(each)
            self._objects[path] = by_kind
        return _source_of(obj, self._objects[path].get(obj.kind, ()))

    def _patches_of(self, kustomization: Kustomization) -> tuple[Patch, ...]:
        if kustomization.file not in self._patches:
            self._patches[kustomization.file] = tuple(patches_of(kustomization, self.files, self.names))
        return self._patches[kustomization.file]

    def _remote_place(self, origin: Origin, path: Path) -> tuple[Path, MapNode]:
        """Return the kustomization file that names a remote origin, and an empty object on that line."""
        listed = [
            (each, text, line)
            for each in self.graph
            for field in _REMOTE_FIELDS
            for text, line in each.listed(field)
            if not os.path.exists(each.path_of(text))
        ]
        repository = origin.repository.removesuffix(".git")
        for kustomization, text, line in listed:
            if kustomization.path_of(text) == path or (repository and repository in text):
                return kustomization.file, _blank(line)
        for kustomization, _, line in listed:
            return kustomization.file, _blank(line)
        return next(iter(self.graph)).file, _blank(1)


def _blank(line: int) -> MapNode:
    return MapNode(line, {}, {}, [])


def _subject(obj: KubernetesObject, source: MapNode) -> Subject:
    names = (source.text_at("metadata", "name") or obj.name, obj.name)
    return Subject(obj.kind, names, source.text_at("metadata", "namespace") or "")


def _source_of(obj: KubernetesObject, written: Iterable[KubernetesObject]) -> MapNode:
    """Return the object of the same kind from which a rendered one comes; an empty one if none fits.

    kustomize may have changed the name, but the original is a part of the new one.
    """
    best = max(
        (each for each in written if each.name in obj.name),
        key=lambda each: (len(each.name), is_same_namespace(each.namespace, obj.namespace)),
        default=None,
    )
    return _blank(1) if best is None else best.node


def _objects_in(documents: Iterable[MapNode]) -> Iterator[KubernetesObject]:
    """Yield the objects in documents, also those in the items of a List."""
    for document in documents:
        if (document.text_at("kind") or "").endswith("List") and document.at("items") is not None:
            yield from _objects_in(document.maps_at("items"))
        elif (obj := KubernetesObject.of(document, "")) is not None:
            yield obj


def _remove_stand_ins(node: MapNode, generators: Iterable[Generator]) -> None:
    """Remove the keys whose values would be whole files that do not exist, so that they are not taken for empty."""
    keys = {source.key for each in generators for source in each.missing()} - {""}
    for field in ("data", "binaryData"):
        if (data := node.map_at(field)) is not None:
            for key in keys & data.items.keys():
                del data.items[key]
                data.key_lines.pop(key, None)
