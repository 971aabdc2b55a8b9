"""Copies of kustomizations in which files that are not committed are replaced by empty ones."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from healthguard.kubernetes.reading.kustomization.generators import generators_of
from healthguard.kubernetes.reading.kustomization.graph import Graph


class StandIns:
    """A copy of the files that a folder is rendered from, with empty files for the missing ones of generators.

    Args:
        graph: the kustomizations.
        folder: the folder of the copy, resolved. It is created.
    """

    def __init__(self, graph: Graph, folder: Path) -> None:
        self._folder = folder
        missing = missing_files(graph)
        found = {reference.path for each in graph for reference in each.references() if os.path.exists(reference.path)}
        found |= {each.file for each in graph} | {each.folder for each in graph}
        resolved = {path: Path(os.path.realpath(path)) for path in found}
        self._common = Path(os.path.commonpath([*found, *resolved.values(), *missing]))
        for path in sorted(set(resolved.values())):
            self._copy(path)
        for path, target in resolved.items():
            self._link(path, target)
        for path in missing:
            self._create_empty(path)

    def copy_of(self, path: Path) -> Path:
        """Return the copy of a path."""
        return self._folder / path.relative_to(self._common)

    def original_of(self, path: Path) -> Path:
        """Return the path that a copy was made of; the path itself if it is not that of a copy."""
        return self._common / path.relative_to(self._folder) if path.is_relative_to(self._folder) else path

    def _copy(self, path: Path) -> None:
        """Copy a file; of a folder, only the files that a kustomization names are copied."""
        copy = self.copy_of(path)
        if path.is_dir():
            copy.mkdir(parents=True, exist_ok=True)
        elif path.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)

    def _link(self, path: Path, target: Path) -> None:
        copy = self.copy_of(path)
        if path != target and not os.path.lexists(copy):
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.symlink_to(self.copy_of(target))

    def _create_empty(self, path: Path) -> None:
        copy = self.copy_of(path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.touch()


def missing_files(graph: Graph) -> set[Path]:
    """Return the files of generators that do not exist."""
    return {
        source.path
        for kustomization in graph
        for generator in generators_of(kustomization)
        for source in generator.missing()
    }
