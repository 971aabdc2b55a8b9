"""The user's files that a kustomization is rendered from, each read once."""

from __future__ import annotations

from pathlib import Path

from healthguard.kubernetes.reading.documents import compose
from healthguard.kubernetes.reading.errors import InvalidDocumentError, UnreadableInputError
from healthguard.kubernetes.reading.files import read_file
from healthguard.kubernetes.reading.nodes import MapNode, Node


class Files:
    """A reader of files that returns nothing for those that cannot be read: rendering them reports the error."""

    def __init__(self) -> None:
        self._texts: dict[Path, str] = {}
        self._documents: dict[Path, tuple[Node, ...]] = {}

    def text(self, path: Path) -> str:
        """Return the text of a file; an empty string if it cannot be read."""
        if path not in self._texts:
            try:
                self._texts[path] = read_file(str(path))
            except UnreadableInputError:
                self._texts[path] = ""
        return self._texts[path]

    def documents(self, path: Path) -> tuple[Node, ...]:
        """Return the documents in a file; nothing if it cannot be read. They must not be changed."""
        if path not in self._documents:
            self._documents[path] = parse(self.text(path))
        return self._documents[path]

    def mappings(self, path: Path) -> list[MapNode]:
        """Return the documents in a file that are mappings."""
        return [each for each in self.documents(path) if isinstance(each, MapNode)]

    def first_mapping(self, path: Path) -> MapNode:
        """Return the first mapping in a file; an empty one if there is none."""
        return next(iter(self.mappings(path)), MapNode(1, {}, {}, []))


def parse(text: str) -> tuple[Node, ...]:
    """Return the documents in a text; nothing if it is not valid."""
    try:
        return tuple(compose(text))
    except InvalidDocumentError:
        return ()
