"""The kustomization files that a folder is rendered from, as far as they are on this machine."""

from __future__ import annotations

import dataclasses
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from healthguard.kubernetes.reading.kustomization.files import Files
from healthguard.kubernetes.reading.kustomizations import KUSTOMIZATION_FILES
from healthguard.kubernetes.reading.nodes import ListNode, MapNode, Node, ScalarNode

MAX_KUSTOMIZATIONS = 1000
_FOLDER_FIELDS = ("resources", "bases", "components", "generators", "transformers", "validators")


def kustomization_file(folder: Path) -> Path | None:
    """Return the file that makes a folder a kustomization; None if there is none."""
    return next((folder / name for name in sorted(KUSTOMIZATION_FILES) if os.path.isfile(folder / name)), None)


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """A text in a kustomization file that names a file or folder, or may do so.

    Args:
        text: the path as written.
        line: its line.
        path: the path that it stands for. Symbolic links are not resolved.
    """

    text: str = dataclasses.field(repr=False)
    line: int
    path: Path = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Kustomization:
    """A kustomization file.

    Args:
        file: its path, in a resolved folder.
        node: its content.
    """

    file: Path
    node: MapNode

    @property
    def folder(self) -> Path:
        """The folder, to which the paths in the file are relative."""
        return self.file.parent

    def path_of(self, text: str) -> Path:
        """Return the path that a text in the file stands for."""
        return Path(os.path.normpath(self.folder / text))

    def references(self) -> Iterator[Reference]:
        """Yield each text of the file that could be a relative path, also those behind ``key=``."""
        for scalar in _scalars(self.node):
            if not isinstance(scalar.value, str) or "\n" in scalar.value or len(scalar.value) > 1000:
                continue
            for text in {scalar.value, scalar.value.partition("=")[2]} - {""}:
                if "\0" not in text and not os.path.isabs(text):
                    yield Reference(text, scalar.line, self.path_of(text))

    def listed_folders(self, *fields: str) -> Iterator[Path]:
        """Yield the resolved folders that the lists in these fields name and that are on this machine."""
        for field in fields:
            for text, _ in self.listed(field):
                if os.path.isdir(path := self.path_of(text)):
                    yield Path(os.path.realpath(path))

    def listed(self, field: str) -> Iterator[tuple[str, int]]:
        """Yield the texts in the list of a field, each with its line."""
        node = self.node.at(field)
        for item in node.items if isinstance(node, ListNode) else []:
            if isinstance(item, ScalarNode) and isinstance(item.value, str) and "\0" not in item.value:
                yield item.value, item.line


class Graph:
    """The kustomizations that a folder is rendered from, the folder's own first.

    Args:
        folder: the folder, resolved.
        files: the reader of files.
    """

    def __init__(self, folder: Path, files: Files) -> None:
        self._by_folder: dict[Path, Kustomization] = {}
        folders = deque([folder])
        while folders and len(self._by_folder) < MAX_KUSTOMIZATIONS:
            each = folders.popleft()
            if each in self._by_folder or (file := kustomization_file(each)) is None:
                continue
            self._by_folder[each] = Kustomization(file, files.first_mapping(file))
            folders.extend(self._by_folder[each].listed_folders(*_FOLDER_FIELDS))
        self._owners: dict[str, set[Path]] = {}
        self._parents: dict[Path, list[Path]] = {}
        self._components: dict[Path, list[Path]] = {}
        for kustomization in self:
            self._add_relations(kustomization)

    def __iter__(self) -> Iterator[Kustomization]:
        return iter(self._by_folder.values())

    def at(self, folder: Path) -> Kustomization | None:
        """Return the kustomization in a folder; None if it is not part of the graph."""
        return self._by_folder.get(folder)

    def changing(self, path: Path) -> list[Kustomization]:
        """Return the kustomizations that may change the objects of a file, the last to do so first.

        These are the ones that the file is part of, directly or through their bases, and their components.

        Args:
            path: a file of objects, or a kustomization file with generators.
        """
        owners = self._owners.get(os.path.realpath(path))
        if owners is None:
            return list(self)
        found = _reachable(_reachable(owners, self._parents), self._components)
        return [each for each in self if each.folder in found]

    def _add_relations(self, kustomization: Kustomization) -> None:
        for path in (kustomization.file, *(reference.path for reference in kustomization.references())):
            self._owners.setdefault(os.path.realpath(path), set()).add(kustomization.folder)
        for child in kustomization.listed_folders(*_FOLDER_FIELDS):
            self._parents.setdefault(child, []).append(kustomization.folder)
        self._components[kustomization.folder] = list(kustomization.listed_folders("components"))


def _reachable(start: set[Path], steps: dict[Path, list[Path]]) -> set[Path]:
    found = set(start)
    waiting = list(start)
    while waiting:
        new = set(steps.get(waiting.pop(), ())) - found
        found |= new
        waiting.extend(new)
    return found


def _scalars(node: Node) -> Iterator[ScalarNode]:
    """Yield the scalars of a tree. The stack is a list, because a hostile file may be nested deeply."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, ScalarNode):
            yield each
        elif isinstance(each, ListNode):
            waiting.extend(each.items)
        elif isinstance(each, MapNode):
            waiting.extend(each.items.values())
