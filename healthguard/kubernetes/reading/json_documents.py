"""JSON as nodes with lines, composed without recursion. The json module of Python keeps no lines."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined] # typeshed lacks it

from healthguard.kubernetes.reading.errors import InvalidDocumentError
from healthguard.kubernetes.reading.limits import DOCUMENT_COST, MAP_COST, Budget, check_depth
from healthguard.kubernetes.reading.nodes import ListNode, MapNode, Node, ScalarNode, ScalarValue

_BLANKS = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?(?P<exponent>[eE][-+]?[0-9]+)?")
_WORD = re.compile(r"true|false|null")
_WORDS: dict[str, ScalarValue] = {"true": True, "false": False, "null": None}
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_INTEGER_DIGITS = 20
"""The most characters of a 64-bit integer. Python refuses to convert texts of more than 4,300 digits."""
_REMEDY = "Correct this line or the one before it: check its commas, its colons and its quotation marks."


def compose_json(text: str, first_line: int, budget: Budget) -> Iterator[Node]:
    """Yield the values of a stream of JSON.

    Args:
        text: the values, with blanks between them.
        first_line: the line of the file on which the text begins.
        budget: the keys and values that may still be read.

    Raises:
        InvalidDocumentError: the text is not JSON. The message does not contain a part of it.
    """
    composer = _Composer(text, first_line, budget)
    while not composer.is_at_end():
        yield composer.compose()


@dataclasses.dataclass(slots=True)
class _Frame:
    """A list or object that is not yet complete, and the name of the member whose value comes next."""

    node: ListNode | MapNode
    key: str = ""


class _Composer:
    """The position in a text.

    Args:
        text: the text.
        first_line: the line of the file on which it begins.
        budget: the keys and values that may still be read.
    """

    def __init__(self, text: str, first_line: int, budget: Budget) -> None:
        self._text = text
        self._position = 0
        self._line = first_line
        self._budget = budget
        self._frames: list[_Frame] = []
        self._skip_blanks()

    def is_at_end(self) -> bool:
        """Return True if nothing is left."""
        return self._position == len(self._text)

    def compose(self) -> Node:
        """Return the next value."""
        self._budget.spend(DOCUMENT_COST, self._line)
        while True:
            node = self._start_value()
            while node is not None:
                if not self._frames:
                    return node
                self._add(node)
                node = self._continue_container()

    def _start_value(self) -> Node | None:
        """Return the scalar or empty container at the position; None if a container with members begins."""
        self._budget.spend(1, self._line)
        character = self._text[self._position : self._position + 1]
        if character == "{":
            self._budget.spend(MAP_COST - 1, self._line)
            return self._start_container(MapNode(self._line, {}, {}, []), "}")
        if character == "[":
            return self._start_container(ListNode(self._line, []), "]")
        return self._scalar(character)

    def _start_container(self, node: MapNode | ListNode, end: str) -> Node | None:
        check_depth(len(self._frames) + 1, self._line)
        self._position += 1
        self._skip_blanks()
        if self._skip(end):
            return node
        self._frames.append(_Frame(node))
        if isinstance(node, MapNode):
            self._read_key()
        return None

    def _continue_container(self) -> Node | None:
        """Return the container at whose end the position is; None if another member follows."""
        frame = self._frames[-1]
        is_map = isinstance(frame.node, MapNode)
        if self._skip(","):
            if is_map:
                self._read_key()
            return None
        if not self._skip("}" if is_map else "]"):
            raise self._error("a comma or the end of a list or an object is missing")
        self._frames.pop()
        return frame.node

    def _add(self, node: Node) -> None:
        frame = self._frames[-1]
        if isinstance(frame.node, ListNode):
            frame.node.items.append(node)
        else:
            if frame.key in frame.node.items:
                frame.node.replaced.append((frame.key, frame.node.items[frame.key]))
            frame.node.items[frame.key] = node

    def _read_key(self) -> None:
        """Read the name of a member and the colon after it."""
        frame = self._frames[-1]
        line = self._line
        self._budget.spend(1, line)
        if self._text[self._position : self._position + 1] != '"' or not isinstance(frame.node, MapNode):
            raise self._error("the name of a member is missing")
        frame.key = self._string()
        if frame.key in frame.node.key_lines:
            frame.node.repeated.append((frame.key, line))
        frame.node.key_lines[frame.key] = line
        if not self._skip(":"):
            raise self._error("a colon is missing")

    def _scalar(self, character: str) -> ScalarNode:
        line, start = self._line, self._position
        if character == '"':
            value: ScalarValue = self._string()
            return ScalarNode(line, value, str(value))
        match = _WORD.match(self._text, start) or _NUMBER.match(self._text, start)
        if match is None:
            raise self._error("a value is missing")
        self._position = match.end()
        self._skip_blanks()
        value = _WORDS[match[0]] if match.re is _WORD else _number(match)
        return ScalarNode(line, value, match[0])

    def _string(self) -> str:
        try:
            text, self._position = scanstring(self._text, self._position + 1, True)
        except ValueError:
            # The exception contains the text.
            raise self._error("a string is not valid") from None
        self._skip_blanks()
        # Go reads a surrogate that is not part of a pair as the replacement character.
        return str(text) if text.isascii() else str(_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text))

    def _skip(self, character: str) -> bool:
        """Skip the character and the blanks after it if it comes next; return True if it does."""
        if not self._text.startswith(character, self._position):
            return False
        self._position += 1
        self._skip_blanks()
        return True

    def _skip_blanks(self) -> None:
        """Skip blanks, so that a token, or the end, always comes next."""
        start = self._position
        if self._text[start : start + 1] > " ":
            return
        self._position = _BLANKS.match(self._text, start).end()  # type: ignore[union-attr] # it matches any text
        self._line += self._text.count("\n", start, self._position)

    def _error(self, reason: str) -> InvalidDocumentError:
        return InvalidDocumentError(self._line, f"The file is not valid JSON: {reason}.", _REMEDY)


def _number(match: re.Match[str]) -> int | float:
    is_integer = match["fraction"] is None and match["exponent"] is None and len(match[0]) <= _MAX_INTEGER_DIGITS
    return int(match[0]) if is_integer else float(match[0])
