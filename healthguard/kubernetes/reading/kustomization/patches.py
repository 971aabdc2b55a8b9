"""The patches of a kustomization, and the objects to which they are applied."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

from healthguard.kubernetes.reading.kustomization.files import Files, parse
from healthguard.kubernetes.reading.kustomization.graph import Kustomization
from healthguard.kubernetes.reading.kustomization.paths import PathNames
from healthguard.kubernetes.reading.nodes import LineInFile, ListNode, MapNode, Node, ScalarNode
from healthguard.kubernetes.reading.objects import is_same_namespace
from healthguard.kubernetes.reading.relocation import move_to_file
from healthguard.secret_values.patterns import UnusablePatternError, fits, is_pattern

_FIELDS = ("patchesStrategicMerge", "patches", "patchesJson6902")
_SELECTORS = ("labelSelector", "annotationSelector")
_LITERAL_BLOCK = re.compile(r"\|[-+0-9]*\s*(#.*)?$")


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """An object to which a patch may be applied.

    Args:
        kind: its kind.
        names: its names, before and after a prefix was added.
        namespace: its namespace; an empty string if it states none.
    """

    kind: str
    names: tuple[str, ...]
    namespace: str


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A patch.

    Args:
        target: the selector of the objects; None if the patch names the object itself.
        content: an object that is merged, or a list of the operations of a JSON patch. Its lines have their files.
    """

    target: MapNode | None
    content: Node

    def is_applied_to(self, subject: Subject) -> bool:
        """Return True if the patch names the object. Selectors by label are not evaluated."""
        if self.target is not None:
            return _is_selected(self.target, subject)
        return (
            self.content.text_at("kind") == subject.kind
            and self.content.text_at("metadata", "name") in subject.names
            and is_same_namespace(self.content.text_at("metadata", "namespace") or "", subject.namespace)
        )

    def operations(self) -> Iterator[tuple[list[str], Node]]:
        """Yield the path and the value of each operation of a JSON patch that sets one."""
        if not isinstance(self.content, ListNode):
            return
        for operation in self.content.items:
            path, value = operation.text_at("path"), operation.at("value")
            if path is not None and path.startswith("/") and value is not None:
                # RFC 6901, section 4.
                yield [token.replace("~1", "/").replace("~0", "~") for token in path[1:].split("/")], value


def patches_of(kustomization: Kustomization, files: Files, names: PathNames) -> Iterator[Patch]:
    """Yield the patches of a kustomization in the order in which they are applied."""
    for field in _FIELDS:
        node = kustomization.node.at(field)
        for entry in node.items if isinstance(node, ListNode) else []:
            target = entry.map_at("target")
            for content in _contents(entry, kustomization, files, names):
                yield Patch(target, content)


def _contents(entry: Node, kustomization: Kustomization, files: Files, names: PathNames) -> Iterator[Node]:
    """Yield the documents of an entry, which contains them or names a file."""
    inline, path = entry.at("patch"), entry.text_at("path")
    if isinstance(entry, ScalarNode):
        inline, path = (entry, None) if "\n" in entry.text else (None, entry.text)
    if isinstance(inline, ScalarNode):
        yield from _inline(inline, files.text(kustomization.file), names.of(kustomization.file))
    elif path and "\0" not in path:
        yield from _from_file(kustomization.path_of(path), files, names)


def _from_file(path: Path, files: Files, names: PathNames) -> Iterator[Node]:
    shown = names.of(path)
    # Not the reader's own tree, because its lines are changed.
    for node in parse(files.text(path)):
        move_to_file(node, lambda line: LineInFile(line, shown))
        yield node


def _inline(scalar: ScalarNode, text: str, shown: str) -> Iterator[Node]:
    """Yield the documents in a text of the kustomization file.

    In a literal block each line of the text is a line of the file. In any other style all lines become the first one.
    """
    lines = text.split("\n")
    first = int(scalar.line)
    is_block = first <= len(lines) and _LITERAL_BLOCK.search(lines[first - 1].rstrip()) is not None
    for node in parse(scalar.text):
        move_to_file(node, lambda line: LineInFile(first + line if is_block else first, shown))
        yield node


def _is_selected(target: MapNode, subject: Subject) -> bool:
    if any(target.text_at(selector) for selector in _SELECTORS):
        return False
    return (
        _is_match(target.text_at("kind"), subject.kind)
        and any(_is_match(target.text_at("name"), name) for name in subject.names)
        and (not subject.namespace or _is_match(target.text_at("namespace"), subject.namespace))
    )


def _is_match(pattern: str | None, text: str) -> bool:
    """Return True if a regular expression of a selector matches a whole text, as kustomize compares them."""
    if not pattern:
        return True
    if not is_pattern(pattern):
        return pattern == text
    try:
        return fits(pattern, text)
    except UnusablePatternError:
        return False
