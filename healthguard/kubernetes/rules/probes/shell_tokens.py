"""The words and operators of a shell script."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

REDIRECTIONS = frozenset({"&>>", "&>", ">>", "<<<", ">&", "<&", ">|", "<", ">"})
"""The operators that are followed by the name of a file or the number of a stream."""
_OPERATOR = re.compile(r"&&|\|\||;;|\|&|&>>|&>|>>|<<<|<<|>&|<&|>\||[\n;|&<>()]")


class UnsupportedScriptError(Exception):
    """The script contains something that is not parsed here, or is not a script. It has no text."""


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """A word without its quotes, or an operator.

    Args:
        text: the text. It may contain a secret, so it is not part of the repr.
        is_operator: True for an operator.
        is_quoted: True if a part of the word was quoted, so that it is not a reserved word.
    """

    text: str = dataclasses.field(repr=False)
    is_operator: bool = False
    is_quoted: bool = False

    def is_word(self, text: str) -> bool:
        """Return True if it is this reserved word, and not a quoted text."""
        return not self.is_operator and not self.is_quoted and self.text == text


def tokens_of(script: str) -> Iterator[Token]:
    """Yield the tokens of a script.

    Raises:
        UnsupportedScriptError: a quote or a parenthesis is not closed.
    """
    position, word, is_word, is_quoted = 0, "", False, False
    while position < len(script):
        if script.startswith("\\\n", position):
            position += 2
            continue
        character = script[position]
        operator = _OPERATOR.match(script, position)
        if character in " \t\r" or operator:
            is_descriptor = operator is not None and word.isdigit() and operator[0] in REDIRECTIONS
            if is_word and not is_descriptor:
                yield Token(word, is_quoted=is_quoted)
            word, is_word, is_quoted = "", False, False
            if operator:
                yield Token(operator[0], is_operator=True)
            position += len(operator[0]) if operator else 1
            continue
        if character == "#" and not is_word:
            position = _end(script, "\n", position)
            continue
        piece, position, quoted = _piece(script, position)
        word, is_word, is_quoted = word + piece, True, is_quoted or quoted
    if is_word:
        yield Token(word, is_quoted=is_quoted)


def _piece(script: str, position: int) -> tuple[str, int, bool]:
    """Return the next part of a word, the position after it, and True if it was quoted."""
    character = script[position]
    if character == "'":
        quote = _closing(script, "'", position + 1)
        return script[position + 1 : quote], quote + 1, True
    if character == '"':
        return _double_quoted(script, position + 1)
    if character == "\\":
        return script[position + 1 : position + 2], position + 2, True
    if (end := _substitution_end(script, position)) is not None:
        return script[position:end], end, False
    return character, position + 1, False


def _double_quoted(script: str, position: int) -> tuple[str, int, bool]:
    parts: list[str] = []
    while position < len(script):
        character = script[position]
        if character == '"':
            return "".join(parts), position + 1, True
        if character == "\\" and script[position + 1 : position + 2] in ('"', "\\", "$", "`", "\n"):
            parts.append(script[position + 1].replace("\n", ""))
            position += 2
        elif (end := _substitution_end(script, position)) is not None:
            parts.append(script[position:end])
            position = end
        else:
            parts.append(character)
            position += 1
    raise UnsupportedScriptError


def _substitution_end(script: str, position: int) -> int | None:
    """Return the end of a ``$(…)``, a ``${…}`` or a `` `…` `` that begins here; None if none begins here."""
    if script[position] == "`":
        return _closing(script, "`", position + 1) + 1
    if script.startswith("${", position):
        return _closing(script, "}", position + 2) + 1
    if not script.startswith("$(", position):
        return None
    depth, quote, index = 0, "", position + 1
    while index < len(script):
        character = script[index]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
            if depth == 0:
                return index + 1
        index += 1
    raise UnsupportedScriptError


def _closing(script: str, character: str, position: int) -> int:
    end = script.find(character, position)
    if end == -1:
        raise UnsupportedScriptError
    return end


def _end(script: str, character: str, position: int) -> int:
    end = script.find(character, position)
    return len(script) if end == -1 else end
