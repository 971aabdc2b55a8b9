"""The values of a document, each with the line on which it stands."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Self, TypeAlias

Key: TypeAlias = "str | int"
ScalarValue: TypeAlias = "str | int | float | bool | None"


class LineInFile(int):
    """A line of another file than that of the object: an overlay's patch has added the value.

    An object of a rendered kustomization is put together from several files. Each line carries its file, so that a
    finding names the right one whichever line of the object it is about.

    Args:
        line: the line (from 1).
        file: the path of the file as the user would write it.
    """

    file: str

    def __new__(cls, line: int, file: str) -> Self:
        """Return the line."""
        self = super().__new__(cls, line)
        self.file = file
        return self


@dataclasses.dataclass(slots=True, eq=False)
class Node:
    """A value of a document.

    Args:
        line: the line on which the value begins (from 1). It is a :class:`LineInFile` if it is in another file.
    """

    line: int

    def at(self, *path: Key) -> Node | None:
        """Return the value at a path of names and indexes; None if there is none."""
        node: Node | None = self
        for key in path:
            node = None if node is None else node.member(key)
        return node

    def member(self, key: Key) -> Node | None:
        """Return the member with this name or index; None if there is none."""
        return None

    def text_at(self, *path: Key) -> str | None:
        """Return the text at a path; None if there is none."""
        node = self.at(*path)
        return node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else None

    def map_at(self, *path: Key) -> MapNode | None:
        """Return the mapping at a path; None if there is none."""
        node = self.at(*path)
        return node if isinstance(node, MapNode) else None

    def maps_at(self, *path: Key) -> Iterator[MapNode]:
        """Yield the mappings in the list at a path."""
        node = self.at(*path)
        if isinstance(node, ListNode):
            yield from (item for item in node.items if isinstance(item, MapNode))


@dataclasses.dataclass(slots=True, eq=False)
class ScalarNode(Node):
    """A text, a number, a boolean or null, as Kubernetes reads it.

    Args:
        value: the value. It may be a secret, so it is not part of the repr.
        text: the text as written, without its quotes.
    """

    value: ScalarValue = dataclasses.field(repr=False)
    text: str = dataclasses.field(repr=False)


@dataclasses.dataclass(slots=True, eq=False)
class ListNode(Node):
    """A list."""

    items: list[Node]

    def member(self, key: Key) -> Node | None:
        """Return the item with this index; None if there is none."""
        return self.items[key] if isinstance(key, int) and 0 <= key < len(self.items) else None


@dataclasses.dataclass(slots=True, eq=False)
class MapNode(Node):
    """A mapping.

    Args:
        items: the members by name. Of equal names, the last one counts.
        key_lines: the line of each name.
        repeated: the names that occur more than once, each with the line of the later occurrence.
        replaced: the values of these names that do not count, each with its name.
    """

    items: dict[str, Node]
    key_lines: dict[str, int]
    repeated: list[tuple[str, int]]
    replaced: list[tuple[str, Node]] = dataclasses.field(default_factory=list)

    def member(self, key: Key) -> Node | None:
        """Return the member with this name; None if there is none."""
        return self.items.get(key)  # type: ignore[arg-type] # An index is not among the names.

    def line_of(self, key: str) -> int:
        """Return the line of a name; the line of the mapping if it does not have the name."""
        return self.key_lines.get(key, self.line)


def is_same_value(one: Node, other: Node) -> bool:
    """Return True if two values are equal, wherever they stand."""
    if isinstance(one, ScalarNode) and isinstance(other, ScalarNode):
        return type(one.value) is type(other.value) and one.value == other.value
    if isinstance(one, ListNode) and isinstance(other, ListNode):
        return len(one.items) == len(other.items) and all(map(is_same_value, one.items, other.items))
    if isinstance(one, MapNode) and isinstance(other, MapNode):
        return one.items.keys() == other.items.keys() and all(
            is_same_value(value, other.items[key]) for key, value in one.items.items()
        )
    return False
