"""The paths of files in a kustomization, as the user would write them."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True)
class PathNames:
    """The names of the files that belong to a folder which the user has named.

    Args:
        folder: the folder, resolved.
        shown: the folder as the user gave it.
    """

    folder: Path
    shown: str

    def of(self, path: Path) -> str:
        """Return the path of a file as the user would write it."""
        if path.is_relative_to(self.folder):
            return os.path.normpath(os.path.join(self.shown, path.relative_to(self.folder)))
        if os.path.isabs(self.shown):
            return str(path)
        # Not relative to the folder as given: it may be a symbolic link, and ".." is not the same for the system.
        return os.path.relpath(path, Path.cwd().resolve())
