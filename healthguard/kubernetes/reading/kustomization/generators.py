"""The generators of Secrets and ConfigMaps, and the places in which their keys are written."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from healthguard.kubernetes.reading.kustomization.files import Files
from healthguard.kubernetes.reading.kustomization.graph import Kustomization
from healthguard.kubernetes.reading.kustomization.paths import PathNames
from healthguard.kubernetes.reading.nodes import LineInFile, ListNode, MapNode, ScalarNode

_FIELDS = {"secretGenerator": "Secret", "configMapGenerator": "ConfigMap"}
_DATA_FIELDS = ("data", "binaryData")


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """A file from which a generator takes keys.

    Args:
        path: the file.
        line: the line of the kustomization file that names it.
        key: the key that gets the whole file as its value; an empty string if the file contains ``NAME=value`` lines.
    """

    path: Path
    line: int
    key: str = ""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Generator:
    """An entry of a generator field.

    Args:
        kind: the kind of the object that it generates.
        name: the name without prefix and hash.
        node: the entry.
        kustomization: the kustomization that contains it.
    """

    kind: str
    name: str
    node: MapNode
    kustomization: Kustomization

    def sources(self) -> Iterator[Source]:
        """Yield the files from which the keys are taken."""
        for text, line in [*self._texts("envs"), *self._texts("env")]:
            yield Source(self.kustomization.path_of(text), line)
        for text, line in self._texts("files"):
            key, separator, path = text.partition("=")
            source = self.kustomization.path_of(path if separator else text)
            yield Source(source, line, key if separator else source.name)

    def missing(self) -> list[Source]:
        """Return the files that do not exist. Files with secrets are often not committed."""
        return [source for source in self.sources() if not os.path.exists(source.path)]

    def key_lines(self, files: Files, names: PathNames) -> Iterator[tuple[str, LineInFile]]:
        """Yield each key with the line on which it is written.

        Args:
            files: the reader of files.
            names: the names of the files.
        """
        for text, line in self._texts("literals"):
            yield text.partition("=")[0], self.own_line(line, names)
        for source in self.sources():
            shown = names.of(source.path)
            if source.key:
                yield source.key, LineInFile(1, shown)
            else:
                yield from ((key, LineInFile(line, shown)) for key, line in _env_lines(files.text(source.path)))

    def own_line(self, line: int, names: PathNames) -> LineInFile:
        """Return a line of the kustomization file."""
        return LineInFile(line, names.of(self.kustomization.file))

    def _texts(self, field: str) -> Iterator[tuple[str, int]]:
        """Yield the texts in a field, which is a list or a single text, each with its line."""
        node = self.node.at(field)
        for item in node.items if isinstance(node, ListNode) else [node]:
            if isinstance(item, ScalarNode) and item.text and "\0" not in item.text:
                yield item.text, item.line


def generators_of(kustomization: Kustomization) -> Iterator[Generator]:
    """Yield the entries of the generator fields of a kustomization."""
    for field, kind in _FIELDS.items():
        for node in kustomization.node.maps_at(field):
            if name := node.text_at("name"):
                yield Generator(kind, name, node, kustomization)


def generators_for(kustomizations: Iterable[Kustomization], kind: str, name: str) -> list[Generator]:
    """Return the generators of an object, in the order of the kustomizations.

    Args:
        kustomizations: the kustomizations that may have made or changed it.
        kind: its kind.
        name: its rendered name, which a prefix, a suffix and a hash may have extended.
    """
    found = [each for kustomization in kustomizations for each in generators_of(kustomization)]
    found = [each for each in found if each.kind == kind and each.name in name]
    longest = max((len(each.name) for each in found), default=0)
    return [each for each in found if len(each.name) == longest]


def generated_object(generators: Sequence[Generator], files: Files, names: PathNames) -> MapNode:
    """Return an object that has each key of its generators at the line on which it is written last.

    Args:
        generators: the generators of the object, in the order in which they are applied.
        files: the reader of files.
        names: the names of the files.
    """
    lines = {key: line for each in generators for key, line in each.key_lines(files, names)}
    first = generators[0]
    line = first.own_line(first.node.line, names)
    name_line = first.own_line(first.node.line_of("name"), names)
    metadata = MapNode(name_line, {"name": ScalarNode(name_line, first.name, first.name)}, {"name": name_line}, [])
    data = MapNode(line, {key: ScalarNode(at, "", "") for key, at in lines.items()}, {**lines}, [])
    return MapNode(
        line,
        {"metadata": metadata, **dict.fromkeys(_DATA_FIELDS, data)},
        {"metadata": name_line, **dict.fromkeys(_DATA_FIELDS, line)},
        [],
    )


def _env_lines(text: str) -> Iterator[tuple[str, int]]:
    """Yield the keys of an env file with their lines, as kustomize reads it: no quotes, no ``export``."""
    for number, line in enumerate(text.split("\n"), 1):
        content = line.removesuffix("\r").lstrip()
        if content and not content.startswith("#"):
            yield content.partition("=")[0], number
