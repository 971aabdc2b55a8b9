"""A JSON document, and what stands where in it."""

from __future__ import annotations

import json
import re

from healthguard.patterns import UnusablePatternError, fits


class _Number(str):
    """A number, as it is written in the document."""

    __slots__ = ()


class _Missing:
    """What stands where there is nothing; null is something."""


MISSING = _Missing()
# Not the brackets and stars of other languages of paths: as names they would just never be found.
_PATH = re.compile(r"\$|(\$\.)?[^.\s$\[\]*]+(\.[^.\s$\[\]*]+)*")
_MAX_DIGITS = 9


def is_path(text: object) -> bool:
    """Whether ``text`` is a path: names and positions with dots between, like ``items.0.name``; ``$`` for all of it."""
    return isinstance(text, str) and _PATH.fullmatch(text) is not None


def parsed(content: bytes) -> object:
    """The document.

    Raises:
        ValueError: it is none.
    """
    try:
        found: object = json.loads(content, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
    except (ValueError, RecursionError):
        # Without its text, and what it came of, which hold the document.
        raise ValueError("not JSON") from None
    return found


def at(document: object, path: str) -> object:
    """What stands at ``path``; MISSING where there is nothing."""
    found = document
    for name in [] if path == "$" else path.removeprefix("$.").split("."):
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and len(name) <= _MAX_DIGITS and int(name) < len(found):
            found = found[int(name)]
        else:
            return MISSING
    return found


def is_text(found: object) -> bool:
    """Whether it is a text, and no number."""
    return isinstance(found, str) and not isinstance(found, _Number)


def kind(found: object) -> str:
    """What kind of thing it is, in words: all that may be said of it."""
    if found is MISSING or found is None:
        return "missing" if found is MISSING else "null"
    if isinstance(found, dict | list):
        return "an object" if isinstance(found, dict) else "a list"
    if isinstance(found, bool):
        return "a truth value"
    return "a text" if is_text(found) else "a number"


def mismatch(found: object, pattern: str) -> str | None:
    """What kind of thing it is if the whole of it does not fit ``pattern``; None if it does.

    Numbers, true and false are compared as JSON writes them. Nothing else that is no text fits anything.
    """
    text = json.dumps(found) if isinstance(found, bool) else found
    if not isinstance(text, str):
        return kind(found)
    try:
        return None if fits(pattern, text) else f"{kind(found)} of another form"
    except UnusablePatternError as error:
        return f"{kind(found)} that {error.reason}"
