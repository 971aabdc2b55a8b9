"""Regular expressions from a declaration, applied to texts from outside.

A pattern with nested repetitions can take hours on a text of 40 characters, and Python's own engine blocks all threads
of the process during that time. Therefore this module applies every declared pattern: to a text of limited length, in
limited time, and without blocking other threads.
"""

from __future__ import annotations

import functools
import re
import time
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    import regex

MAX_CHARACTERS = 200_000
"""The maximum length of a text that a pattern is applied to (characters). An environment variable can have 131,071."""
MAX_SECONDS = 0.5
"""The time limit for applying a pattern (seconds of CPU time of the process)."""

_LONGEST_SPELLED_OUT = 200

# The regex package reads some braces as fuzzy matching, and [: as the start of a character class. Python's own engine
# reads both literally. Escapes, \N{...} and braces within a character set mean the same in both engines.
_TOKEN = re.compile(
    r"\\N\{[^}]*\}|\\.|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<from_zero>\{,(?=\d*\}))|(?P<brace>\{(?!\d+,?\d*\}))",
    re.DOTALL,
)


class UnusablePatternError(Exception):
    """A pattern could not be applied to a text because the text is too long or the comparison took too long.

    Args:
        reason: the reason, as the predicate of a sentence whose subject is the text.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def is_pattern(value: object) -> TypeGuard[str]:
    """Return True if ``value`` is the text of a regular expression that Python's :mod:`re` accepts."""
    import regex

    try:
        if not isinstance(value, str):
            return False
        re.compile(value)
        _compiled(value, 0)
    except (re.error, regex.error, RecursionError, OverflowError):
        return False
    return True


def fits(pattern: str, text: str, *, ignores_case: bool = False) -> bool:
    """Return True if the whole of ``text`` matches ``pattern``. A dot in the pattern matches a line break too.

    Raises:
        UnusablePatternError: the text is too long, or the comparison took too long.
    """
    return _applied("fullmatch", pattern, text, re.DOTALL | (re.IGNORECASE if ignores_case else 0))


def is_found(pattern: str, text: str, flags: int = 0) -> bool:
    """Return True if ``pattern`` is found somewhere in ``text``.

    Args:
        pattern: the pattern.
        text: the text.
        flags: the flags of Python's :mod:`re`.

    Raises:
        UnusablePatternError: the text is too long, or the comparison took too long.
    """
    return _applied("search", pattern, text, flags)


def spells_out(pattern: str, text: str, flags: int = 0) -> bool:
    """Return True if ``pattern`` spells out exactly ``text``, as ``^(none|debug)$`` spells out ``none``.

    This is the case if the pattern is found in the text, but no longer if any single character of the text is replaced.
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
    """Return a different character of the same kind, which is not the same letter in the other case."""
    if character.isdigit():
        return "7" if character != "7" else "4"
    if character.isalpha():
        other = "q" if character.lower() != "q" else "k"
        return other.upper() if character.isupper() else other
    return "~" if character != "~" else "^"


def _applied(method: str, pattern: str, text: str, flags: int) -> bool:
    if len(text) > MAX_CHARACTERS:
        raise UnusablePatternError(f"has more than {MAX_CHARACTERS} characters")
    try:
        # The engine releases the GIL only for a plain str, not for a subclass.
        return getattr(_compiled(pattern, flags), method)(str(text), timeout=MAX_SECONDS, concurrent=True) is not None
    except TimeoutError:
        raise UnusablePatternError(f"takes longer than {MAX_SECONDS:g} s of CPU time to compare") from None


_FLAGS = ("IGNORECASE", "MULTILINE", "DOTALL", "VERBOSE", "ASCII")


@functools.lru_cache(maxsize=512)
def _compiled(pattern: str, flags: int) -> regex.Pattern[str]:
    import regex

    regex_flags = sum(getattr(regex, name) for name in _FLAGS if flags & getattr(re, name))
    return regex.compile(_TOKEN.sub(_as_in_python, pattern), regex_flags)


def _as_in_python(token: re.Match[str]) -> str:
    if token["set"]:
        return "[" + token["set"][1:].replace("[:", r"\[:")
    if token["from_zero"]:
        return "{0,"
    return rf"\{token['brace']}" if token["brace"] else token[0]
