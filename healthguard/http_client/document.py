"""JSON documents and the values at their paths."""

from __future__ import annotations

import json
import re

from healthguard.secret_values.patterns import UnusablePatternError, fits


class _Number(str):
    """A number as it is written in the document."""

    __slots__ = ()


class _Missing:
    """The type of MISSING, which stands for an absent value; null is not absent."""


MISSING = _Missing()
# Reject the brackets and asterisks of other path languages: as names they would never be found.
_PATH = re.compile(r"\$|(\$\.)?[^.\s$\[\]*]+(\.[^.\s$\[\]*]+)*")
_MAX_DIGITS = 9


def is_path(text: object) -> bool:
    """Return True if ``text`` is a path: names and positions separated by dots, like ``items.0.name``, or ``$``.

    ``$`` is the path of the whole document.
    """
    return isinstance(text, str) and _PATH.fullmatch(text) is not None


def parse_json(content: bytes) -> object:
    """Return the document in ``content``.

    Raises:
        ValueError: ``content`` is not JSON.
    """
    try:
        document: object = json.loads(content, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
    except (ValueError, RecursionError):
        # Raise without the original error, which contains the document.
        raise ValueError("not JSON") from None
    return document


def value_at(document: object, path: str) -> object:
    """Return the value at ``path``, or MISSING."""
    value = document
    for name in [] if path == "$" else path.removeprefix("$.").split("."):
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and len(name) <= _MAX_DIGITS and int(name) < len(value):
            value = value[int(name)]
        else:
            return MISSING
    return value


def is_text(value: object) -> bool:
    """Return True if ``value`` is a string and not a number."""
    return isinstance(value, str) and not isinstance(value, _Number)


def kind(value: object) -> str:
    """Return the type of ``value`` in words. Nothing else about it may be shown."""
    if value is MISSING or value is None:
        return "missing" if value is MISSING else "null"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, bool):
        return "a boolean"
    return "a string" if is_text(value) else "a number"


def mismatch(value: object, pattern: str) -> str | None:
    """Return the type of ``value`` and why it is wrong, in words, if not all of it matches ``pattern``; else None.

    Numbers, true and false are compared as JSON writes them. Any other value that is not a string never matches.
    """
    text = json.dumps(value) if isinstance(value, bool) else value
    if not isinstance(text, str):
        return kind(value)
    try:
        return None if fits(pattern, text) else f"{kind(value)} that does not match the pattern"
    except UnusablePatternError as error:
        return f"{kind(value)} that {error.reason}"
