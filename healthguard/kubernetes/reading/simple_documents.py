"""Most documents of YAML as nodes, twice as fast as from events, because libyaml composes them.

A document is simple if it is small and valid, and has no anchors, aliases, tags and merge keys. All others are left to
:mod:`healthguard.kubernetes.reading.yaml_documents`, which composes them from events and reports their errors.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from typing import Any

import yaml

from healthguard.kubernetes.reading.limits import MAP_COST, MAX_DEPTH
from healthguard.kubernetes.reading.nodes import ListNode, MapNode, Node, ScalarNode
from healthguard.kubernetes.reading.scalars import convert_key, type_plain

_MAX_LENGTH = 100_000
_MAX_WIDTH = 1000
_MAX_BRACKETS = 400
"""The limits of length, line length and brackets bound the recursion of libyaml's composer."""
_ANCHOR_OR_TAG = re.compile(r"(?:\A|[\s\[{,:?-])(?:&[\w-]|!)")
_UNUSUAL_BREAKS = ("\x85", "\u2028", "\u2029")
_PLAIN = "plain"
_QUOTED = "quoted"


@dataclasses.dataclass(frozen=True, slots=True)
class SimpleDocument:
    """A document that has been composed.

    Args:
        root: its value.
        count: the number of its keys and values.
    """

    root: Node
    count: int


def compose_simple(text: str, first_line: int) -> SimpleDocument | None:
    """Return the value of a document; None if the document is not simple.

    Args:
        text: the document, without the ``---`` before it.
        first_line: the line of the file on which the text begins.
    """
    if _Parser is None or not _is_simple(text):
        return None
    parser = _Parser(text)
    try:
        root = parser.get_single_node()
        return None if root is None else _Converter(first_line).convert(root)
    except (yaml.YAMLError, ValueError):
        return None
    finally:
        parser.dispose()


def _is_simple(text: str) -> bool:
    if len(text) > _MAX_LENGTH or text.count("[") + text.count("{") > _MAX_BRACKETS or "<<" in text:
        return False
    if any(character in text for character in _UNUSUAL_BREAKS) or text.count("\r") != text.count("\r\n"):
        return False
    if ("&" in text or "!" in text) and _ANCHOR_OR_TAG.search(text):
        return False
    return max(map(len, text.split("\n"))) <= _MAX_WIDTH


def _parser_class() -> Any:
    """Return the parser of libyaml with a resolver that keeps only the style of scalars; None without libyaml."""
    try:
        from yaml._yaml import CParser
    except ImportError:
        return None

    class Parser(CParser):
        """The parser, and the methods that its composer calls for each node."""

        def resolve(self, kind: object, value: object, implicit: Any) -> str:
            return _PLAIN if implicit is True or (implicit and implicit[0]) else _QUOTED

        def descend_resolver(self, parent: object, index: object) -> None:
            pass

        def ascend_resolver(self) -> None:
            pass

    return Parser


_Parser: Any = _parser_class()


class _Converter:
    """The conversion of PyYAML's nodes, without recursion.

    Args:
        first_line: the line of the file on which the document begins.
    """

    def __init__(self, first_line: int) -> None:
        self._offset = first_line
        self._pending: list[tuple[list[Any], ListNode | MapNode, int]] = []
        """The lists and mappings that are still empty, each with its content and the levels of nesting around it."""

    def convert(self, source: Any) -> SimpleDocument:
        """Return a document.

        Raises:
            ValueError: it is nested too deeply, or Kubernetes rejects a key.
        """
        root = self._node(source, 0)
        count = 1
        while self._pending:
            children, node, depth = self._pending.pop()
            if depth > MAX_DEPTH:
                raise ValueError("The document is nested too deeply.")
            if isinstance(node, ListNode):
                count += 1 + len(children)
                node.items = [self._node(child, depth) for child in children]
            else:
                count += MAP_COST + 2 * len(children)
                self._fill(node, children, depth)
        return SimpleDocument(root, count)

    def _node(self, source: Any, depth: int) -> Node:
        """Return the node of a value at a depth. A list or mapping is filled later."""
        line = source.start_mark.line + self._offset
        kind = type(source)
        if kind is yaml.ScalarNode:
            text = source.value
            return ScalarNode(line, type_plain(text) if source.tag == _PLAIN else text, text)
        node = MapNode(line, {}, {}, []) if kind is yaml.MappingNode else ListNode(line, [])
        self._pending.append((source.value, node, depth + 1))
        return node

    def _fill(self, node: MapNode, members: list[Any], depth: int) -> None:
        items, key_lines, offset = node.items, node.key_lines, self._offset
        for key, value in members:
            if type(key) is not yaml.ScalarNode:
                raise ValueError("A key is a list or a mapping.")
            name = key.value
            if key.tag == _PLAIN:
                typed = type_plain(name)
                name = typed if type(typed) is str else convert_key(typed)
            # The same names occur in all documents.
            name = sys.intern(name)
            line = key.start_mark.line + offset
            if name in items:
                node.repeated.append((name, line))
                node.replaced.append((name, items[name]))
            items[name] = self._node(value, depth)
            key_lines[name] = line
