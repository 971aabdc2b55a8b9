"""The anchors of a YAML document, and the values for which its aliases stand."""

from __future__ import annotations

from collections.abc import Iterable

from healthguard.kubernetes.reading.errors import InvalidDocumentError, LimitExceededError
from healthguard.kubernetes.reading.limits import MAX_EXPANSION, check_depth
from healthguard.kubernetes.reading.nodes import ListNode, MapNode, Node, ScalarNode

_SCALAR = (1, 0)
_BOMB_REMEDY = "Check where the file comes from; a document of this form exhausts the memory of most programs."


class Anchors:
    """The anchored values of one document.

    A value is shared by its anchor and its aliases. Their expansion is counted all the same, because the rules visit
    a shared value each time.
    """

    def __init__(self) -> None:
        self._values: dict[str, Node | None] = {}
        self._extents: dict[int, tuple[int, int]] = {}
        """The number of values in each anchored list or mapping, and its levels of nesting, by its id."""
        self.expanded = 0
        """The number of values for which the aliases so far stand."""

    def open(self, name: str) -> None:
        """Note that a list or mapping with this anchor has begun. It must not contain itself."""
        self._values[name] = None

    def close(self, name: str, node: Node) -> None:
        """Store the complete value of an anchor."""
        self._values[name] = node
        if not isinstance(node, ScalarNode):
            self._measure(node)

    def resolve(self, name: str, depth: int, line: int) -> Node:
        """Return the value for which an alias stands.

        Args:
            name: the name of the anchor.
            depth: the number of lists and mappings that contain the alias.
            line: the line of the alias.

        Raises:
            InvalidDocumentError: no value has this name, or its expansion is too large.
        """
        if name not in self._values:
            raise InvalidDocumentError(
                line, "An alias names an anchor that does not occur before it.", "Correct the name after the *."
            )
        node = self._values[name]
        if node is None:
            raise InvalidDocumentError(
                line, "An alias stands inside the value that it names.", "Remove the alias, or move its anchor."
            )
        size, height = self._extents.get(id(node), _SCALAR)
        check_depth(depth + height, line)
        self.expanded += size
        if self.expanded > MAX_EXPANSION:
            raise LimitExceededError(
                line, f"The aliases of the document stand for more than {MAX_EXPANSION:,} values.", _BOMB_REMEDY
            )
        return node

    def _measure(self, root: Node) -> None:
        """Store the number of values in a list or mapping, and its levels of nesting.

        Anchored values inside it have been measured before, so that no value is visited twice.
        """
        size = height = 0
        pending = [(root, 0)]
        while pending:
            node, depth = pending.pop()
            inner_size, inner_height = self._extents.get(id(node), (1, 1))
            size += inner_size
            height = max(height, depth + inner_height)
            if id(node) not in self._extents:
                for child in _children(node):
                    if isinstance(child, ScalarNode):
                        size += 1
                    else:
                        pending.append((child, depth + 1))
        self._extents[id(root)] = (size, height)


def _children(node: Node) -> Iterable[Node]:
    if isinstance(node, ListNode):
        return node.items
    return node.items.values() if isinstance(node, MapNode) else ()
