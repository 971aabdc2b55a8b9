"""Regular expressions from a declaration, applied to texts from outside.

A pattern with nested repetitions can take hours for a text of 40 characters, and Python's own engine holds all threads
of the process meanwhile. So every declared pattern is applied here: to a text of bounded length, in bounded time, and
while the other threads go on.
"""

from __future__ import annotations

import functools
import re
import time
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    import regex

MAX_CHARACTERS = 200_000
"""The longest text that a pattern is applied to (characters). A variable of the environment can have 131,071."""
MAX_SECONDS = 0.5
"""The longest time that applying a pattern may take (seconds of the process's processor time)."""

_LONGEST_SPELLED_OUT = 200

# The regex package takes some braces for fuzzy matching, and [: for a class of characters, where Python's own engine
# takes them as they are. What is escaped, \N{...}, and braces within a set of characters mean the same in both.
_TOKEN = re.compile(
    r"\\N\{[^}]*\}|\\.|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<from_zero>\{,(?=\d*\}))|(?P<brace>\{(?!\d+,?\d*\}))",
    re.DOTALL,
)


class UnusablePatternError(Exception):
    """A pattern could not be applied to a text: the text is too long, or it took too long.

    Args:
        reason: why, as the end of a sentence that begins with the text.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def is_pattern(given: object) -> TypeGuard[str]:
    """Return True if ``given`` is the text of a regular expression, as Python's :mod:`re` understands them."""
    import regex

    try:
        if not isinstance(given, str):
            return False
        re.compile(given)
        _compiled(given, 0)
    except (re.error, regex.error, RecursionError, OverflowError):
        return False
    return True


def fits(pattern: str, text: str, *, ignores_case: bool = False) -> bool:
    """Return True if the whole of ``text`` fits ``pattern``. A dot in it fits a line break too.

    Raises:
        UnusablePatternError: the text is too long, or it took too long.
    """
    return _applied("fullmatch", pattern, text, re.DOTALL | (re.IGNORECASE if ignores_case else 0))


def is_found(pattern: str, text: str, flags: int = 0) -> bool:
    """Return True if ``pattern`` is found somewhere in ``text``.

    Args:
        pattern: the pattern.
        text: the text.
        flags: those of Python's :mod:`re`.

    Raises:
        UnusablePatternError: the text is too long, or it took too long.
    """
    return _applied("search", pattern, text, flags)


def spells_out(pattern: str, text: str, flags: int = 0) -> bool:
    """Return True if ``pattern`` names exactly ``text``, as ``^(none|debug)$`` names ``none``.

    It does if it is found in the text, and no longer when any one character of the text is another.
    """
    if not 0 < len(text) <= _LONGEST_SPELLED_OUT:
        return False
    started = time.thread_time()
    try:
        if not is_found(pattern, text, flags):
            return False
        for at, character in enumerate(text):
            if is_found(pattern, text[:at] + _other(character) + text[at + 1 :], flags):
                return False
            if time.thread_time() - started > MAX_SECONDS:
                return False
    except UnusablePatternError:
        return False
    return True


def _other(character: str) -> str:
    """Return another character of the same kind, which no pattern takes for the same letter."""
    if character.isdigit():
        return "7" if character != "7" else "4"
    if character.isalpha():
        other = "q" if character.lower() != "q" else "k"
        return other.upper() if character.isupper() else other
    return "~" if character != "~" else "^"


def _applied(how: str, pattern: str, text: str, flags: int) -> bool:
    if len(text) > MAX_CHARACTERS:
        raise UnusablePatternError(f"has more than {MAX_CHARACTERS} characters")
    try:
        # Only a plain text is searched while the other threads go on.
        return getattr(_compiled(pattern, flags), how)(str(text), timeout=MAX_SECONDS, concurrent=True) is not None
    except TimeoutError:
        raise UnusablePatternError(f"takes longer than {MAX_SECONDS:g} s of processor time to compare") from None


_FLAGS = ("IGNORECASE", "MULTILINE", "DOTALL", "VERBOSE", "ASCII")


@functools.lru_cache(maxsize=512)
def _compiled(pattern: str, flags: int) -> regex.Pattern[str]:
    import regex

    same = sum(getattr(regex, name) for name in _FLAGS if flags & getattr(re, name))
    return regex.compile(_TOKEN.sub(_as_in_python, pattern), same)


def _as_in_python(token: re.Match[str]) -> str:
    if token["set"]:
        return "[" + token["set"][1:].replace("[:", r"\[:")
    if token["from_zero"]:
        return "{0,"
    return rf"\{token['brace']}" if token["brace"] else token[0]
