"""One document of YAML as nodes, composed from the events of the parser without recursion."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import yaml

from healthguard.kubernetes.reading.aliases import Anchors
from healthguard.kubernetes.reading.errors import InvalidDocumentError
from healthguard.kubernetes.reading.limits import MAP_COST, Budget, check_depth
from healthguard.kubernetes.reading.nodes import ListNode, MapNode, Node, ScalarNode, ScalarValue
from healthguard.kubernetes.reading.scalars import MERGE_TAG, convert_key, type_plain, type_tagged
from healthguard.kubernetes.reading.syntax_errors import describe_syntax_error

# libyaml is ten times faster; wheels of PyYAML contain it, but a PyYAML built without it works as well.
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_UNUSUAL_BREAK = re.compile("\r(?!\n)|[\x85\u2028\u2029]")
"""The line breaks of YAML that are not line breaks in an editor or a diff."""
_UNUSUAL = ("\r", "\x85", "\u2028", "\u2029")
_PLAIN_WITH_COLON = re.compile(r"[\w.:/%-]+:")
_MAX_QUOTED = 20
"""The most readings of a document, each with one more text in quotes."""
_MAX_LINES = 10**9
_NOTHING: frozenset[str] = frozenset()
_FRAMING = 4
"""The events that begin and end a stream and a document."""


def compose_yaml(text: str, first_line: int, budget: Budget) -> Node | None:
    """Return the value of a document; None if the document contains only comments.

    Args:
        text: the document, without the ``---`` before it.
        first_line: the line of the file on which the text begins.
        budget: the keys and values that may still be read.

    Raises:
        InvalidDocumentError: the text is not one document that Kubernetes accepts.
    """
    lines = _lines(text, first_line)
    readable = text
    for _ in range(_MAX_QUOTED):
        try:
            return _compose(readable, lines, budget)
        except yaml.YAMLError as error:
            # The exception contains a part of the text.
            failure = error
        quoted = _with_quotes(readable, failure)
        if quoted is None:
            break
        readable = quoted
    raise describe_syntax_error(failure, text, lines) from None


def _compose(text: str, lines: Sequence[int], budget: Budget) -> Node | None:
    composer = _Composer(lines)
    parser = _Parser(text)
    try:
        composer.consume(iter(parser.get_event, None), budget)
    finally:
        parser.dispose()
    return composer.root


def _with_quotes(text: str, error: yaml.YAMLError) -> str | None:
    """Return a text with quotes around the plain text in which an error is; None for any other error.

    libyaml refuses a plain text that ends with a colon in a list in brackets, such as ``[2001:db8::]``. Kubernetes
    accepts it.
    """
    begin, end = getattr(error, "context_mark", None), getattr(error, "problem_mark", None)
    if getattr(error, "problem", None) != "found unexpected ':'" or begin is None or end is None:
        return None
    scalar = text[begin.index : end.index + 1]
    if not _PLAIN_WITH_COLON.fullmatch(scalar):
        return None
    return f"{text[: begin.index]}'{scalar}'{text[end.index + 1 :]}"


def _lines(text: str, first_line: int) -> Sequence[int]:
    """Return the line of the file for each line that the parser counts."""
    if not any(character in text for character in _UNUSUAL) or not _UNUSUAL_BREAK.search(text):
        return range(first_line, _MAX_LINES)
    feeds = ("\n" in match[0] for match in _BREAK.finditer(text))
    lines = list(itertools.accumulate(feeds, initial=first_line))
    # At the end of a text without a last line break, the parser counts one more line.
    return [*lines, lines[-1]]


class _Frame:
    """A list or mapping that is not yet complete.

    Args:
        node: the list or mapping.
        anchor: the name of its anchor.
    """

    __slots__ = ("anchor", "is_key_next", "is_merging", "key", "key_line", "merged", "node")

    key: str
    """The name of the member whose value comes next."""
    key_line: int

    def __init__(self, node: ListNode | MapNode, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.is_key_next = type(node) is MapNode
        self.is_merging = False
        """True if the next value is merged into the mapping, because its key is ``<<``."""
        self.merged: frozenset[str] = _NOTHING
        """The names that come from merged mappings. A later member may replace them."""

    def add(self, node: Node, line: int) -> None:
        """Add a complete value.

        Args:
            node: the value.
            line: the line on which it, or the alias that stands for it, is.
        """
        container = self.node
        if isinstance(container, ListNode):
            container.items.append(node)
        elif self.is_key_next:
            self.set_key(_convert_key(node, line), line)
        elif self.is_merging:
            self.merged |= _merge(container, node, line)
            self.is_key_next, self.is_merging = True, False
        else:
            key = self.key
            if key in container.items and key not in self.merged:
                container.repeated.append((key, self.key_line))
                container.replaced.append((key, container.items[key]))
            container.items[key] = node
            container.key_lines[key] = self.key_line
            self.is_key_next = True

    def set_key(self, key: str, line: int) -> None:
        """Set the name of the member whose value comes next."""
        self.key = key
        self.key_line = line
        self.is_key_next = False


class _Composer:
    """The state of one document.

    Args:
        lines: the line of the file for each line that the parser counts.
    """

    def __init__(self, lines: Sequence[int]) -> None:
        self._lines = lines
        self._values = ListNode(lines[0], [])
        # The list of the documents is the outermost frame, so that there always is one.
        self._frame = _Frame(self._values, None)
        self._outer: list[_Frame] = []
        self._anchors = Anchors()
        self._count = 0
        self._handlers: dict[type[yaml.Event], Callable[[Any], None]] = {
            yaml.MappingStartEvent: self._start_mapping,
            yaml.MappingEndEvent: self._end_container,
            yaml.SequenceStartEvent: self._start_list,
            yaml.SequenceEndEvent: self._end_container,
            yaml.AliasEvent: self._add_alias,
        }

    @property
    def root(self) -> Node | None:
        """The value of the document; None if it is empty."""
        return self._values.items[0] if self._values.items else None

    def consume(self, events: Iterator[Any], budget: Budget) -> None:
        """Build the value from the events of one document."""
        scalar, add_scalar, handlers = yaml.ScalarEvent, self._add_scalar, self._handlers
        left = max(budget.left, 0) + _FRAMING
        event: Any = None
        for event in itertools.islice(events, left):
            if type(event) is scalar:
                add_scalar(event)
            elif (handler := handlers.get(type(event))) is not None:
                handler(event)
        is_complete = type(event) is yaml.StreamEndEvent
        # The rules visit what an alias stands for each time.
        count = self._count + self._anchors.expanded
        budget.spend(count if is_complete else left + 1, self._lines[event.start_mark.line])

    def _add_scalar(self, event: Any) -> None:
        line = self._lines[event.start_mark.line]
        text, tag, is_plain = event.value, event.tag, event.implicit[0]
        frame = self._frame
        if text == "<<" and frame.is_key_next and ((is_plain and not tag) or tag == MERGE_TAG):
            frame.is_key_next, frame.is_merging = False, True
            return
        value = _type_tagged(tag, text, line) if tag else type_plain(text) if is_plain else text
        if event.anchor is None and frame.is_key_next and type(value) is str:
            # The most frequent case needs no node.
            frame.set_key(value, line)
            return
        node = ScalarNode(line, value, text)
        if event.anchor is not None:
            self._anchors.close(event.anchor, node)
        frame.add(node, line)

    def _add_alias(self, event: Any) -> None:
        line = self._lines[event.start_mark.line]
        self._frame.add(self._anchors.resolve(event.anchor, len(self._outer), line), line)

    def _start_mapping(self, event: Any) -> None:
        self._start_container(MapNode(self._lines[event.start_mark.line], {}, {}, []), event)

    def _start_list(self, event: Any) -> None:
        self._start_container(ListNode(self._lines[event.start_mark.line], []), event)

    def _start_container(self, node: MapNode | ListNode, event: Any) -> None:
        if self._frame.is_key_next:
            # An action of a template, {{ … }}, is such a key.
            raise yaml.composer.ComposerError(None, None, "a key is a list or a mapping", event.start_mark)
        if event.anchor is not None:
            self._anchors.open(event.anchor)
        self._outer.append(self._frame)
        check_depth(len(self._outer), node.line)
        self._frame = _Frame(node, event.anchor)

    def _end_container(self, event: Any) -> None:
        frame = self._frame
        size = len(frame.node.items)
        self._count += 1 + size if isinstance(frame.node, ListNode) else MAP_COST + 2 * size
        if frame.anchor is not None:
            self._anchors.close(frame.anchor, frame.node)
        self._frame = self._outer.pop()
        self._frame.add(frame.node, frame.node.line)


def _type_tagged(tag: str, text: str, line: int) -> ScalarValue:
    try:
        return type_tagged(tag, text)
    except ValueError as error:
        raise InvalidDocumentError(line, str(error), "Remove the tag, or correct the value.") from None


def _convert_key(node: Node, line: int) -> str:
    if not isinstance(node, ScalarNode):
        raise InvalidDocumentError(line, "A key is a list or a mapping.", "Write the key as text.")
    try:
        return convert_key(node.value)
    except ValueError as error:
        raise InvalidDocumentError(line, str(error), "Write the key as text, in quotes.") from None


def _merge(target: MapNode, source: Node, line: int) -> set[str]:
    """Merge mappings into another one, and return the names of their members.

    As in go-yaml v2, they replace the members that occur before ``<<``, and the first mapping of a list prevails.
    """
    merged: set[str] = set()
    for mapping in reversed(source.items) if isinstance(source, ListNode) else (source,):
        if not isinstance(mapping, MapNode):
            raise InvalidDocumentError(
                line,
                "The value of << is not a mapping or a list of mappings.",
                "Write an alias of a mapping, as in <<: *name.",
            )
        target.items.update(mapping.items)
        target.key_lines.update(mapping.key_lines)
        merged.update(mapping.items)
    return merged
