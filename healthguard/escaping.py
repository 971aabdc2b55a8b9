"""Texts from outside, made safe to show: without control characters, and of a bounded length."""

from __future__ import annotations

import unicodedata

MAX_CHARACTERS = 2000
"""The longest text that is shown (characters)."""


def escaped(text: str, limit: int = MAX_CHARACTERS) -> str:
    """Return ``text`` with its control characters as escape sequences, cut to ``limit`` characters.

    Line breaks would forge log lines, escape sequences of terminals would rewrite what is on the screen, and
    invisible or reordering characters would show something else than what is there. A second call changes nothing.
    """
    if len(text) > limit:
        text = f"{text[: limit - 1]}…"
    if text.isprintable():
        return text
    shown = "".join(character if _is_shown(character) else _escape(character) for character in text)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def _is_shown(character: str) -> bool:
    # A no-break space is not printable by Python's rule, but harmless.
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
