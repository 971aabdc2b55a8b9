"""The kustomizations of a folder, and those of them that are rendered."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence

from healthguard.kubernetes.reading.documents import compose
from healthguard.kubernetes.reading.errors import InvalidDocumentError, UnreadableInputError
from healthguard.kubernetes.reading.files import read_file
from healthguard.kubernetes.reading.nodes import ListNode, MapNode, Node, ScalarNode

KUSTOMIZATION_FILES = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
_OWN_API = "kustomize.config.k8s.io/"
_FOLDER_FIELDS = ("resources", "bases", "components", "generators", "transformers", "validators")
"""The fields that may name the folder of another kustomization."""


@dataclasses.dataclass(frozen=True, slots=True)
class Kustomization:
    """A kustomization.

    Args:
        folder: its folder, as the user gave it.
        is_component: True if it can only be part of another one.
        folders: the real paths of the folders of other kustomizations to which it refers.
        files: the real paths of the files to which it refers.
    """

    folder: str
    is_component: bool
    folders: frozenset[str]
    files: frozenset[str]

    @property
    def real_folder(self) -> str:
        """The path of its folder without symbolic links."""
        return os.path.realpath(self.folder)


def load_kustomization(path: str) -> Kustomization | None:
    """Return the kustomization in a file; None if the file is an object of another kind, such as one of Flux.

    One that cannot be read is returned as well, without references: rendering it reports the error.
    """
    folder = os.path.dirname(path) or "."
    try:
        node = next(compose(read_file(path)), None)
    except (InvalidDocumentError, UnreadableInputError):
        node = None
    if not isinstance(node, MapNode):
        return Kustomization(folder, False, frozenset(), frozenset())
    api_version = node.text_at("apiVersion")
    if api_version is not None and not api_version.startswith(_OWN_API):
        return None
    folders = (_resolve(folder, text) for field in _FOLDER_FIELDS for text in _texts(node.member(field)))
    # Files of generators are written as NAME=PATH.
    files = (_resolve(folder, text.rpartition("=")[2]) for text in _texts(node))
    return Kustomization(
        folder,
        node.text_at("kind") == "Component",
        frozenset(each for each in folders if os.path.isdir(each)),
        frozenset(each for each in files if os.path.isfile(each)),
    )


def select_roots(kustomizations: Sequence[Kustomization]) -> list[Kustomization]:
    """Return the kustomizations to render: those to which no other one refers, such as overlays.

    The others are rendered as a part of these. Components are never rendered alone. Of kustomizations that refer to one
    another in a circle, the first one is rendered, so that kustomize reports the circle.
    """
    referred = {folder for each in kustomizations for folder in each.folders}
    candidates = [each for each in kustomizations if not each.is_component]
    roots = [each for each in candidates if each.real_folder not in referred]
    by_folder = {each.real_folder: each for each in kustomizations}
    reached = _reach(roots, by_folder)
    for each in candidates:
        if each.real_folder not in reached:
            roots.append(each)
            reached |= _reach([each], by_folder)
    return sorted(roots, key=lambda each: each.folder)


def _reach(roots: Iterable[Kustomization], by_folder: dict[str, Kustomization]) -> set[str]:
    """Return the folders of kustomizations, and of all that they refer to."""
    reached: set[str] = set()
    pending = [root.real_folder for root in roots]
    while pending:
        folder = pending.pop()
        if folder not in reached:
            reached.add(folder)
            pending += by_folder[folder].folders if folder in by_folder else ()
    return reached


def _texts(node: Node | None) -> Iterator[str]:
    """Yield the texts of one line in a value."""
    pending = [node]
    while pending:
        current = pending.pop()
        if isinstance(current, ScalarNode) and isinstance(current.value, str) and "\n" not in current.value:
            yield current.value
        elif isinstance(current, ListNode):
            pending += current.items
        elif isinstance(current, MapNode):
            pending += current.items.values()


def _resolve(folder: str, text: str) -> str:
    """Return the real path that a text stands for, relative to a folder; an empty string if it cannot be a path."""
    if not text or "\0" in text or "://" in text:
        return ""
    return os.path.realpath(os.path.join(folder, text))
