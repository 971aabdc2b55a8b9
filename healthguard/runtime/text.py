"""Texts from outside, made safe to show: without control characters, and of a bounded length."""

from __future__ import annotations

import unicodedata

MAX_CHARACTERS = 2000
"""The longest text that is shown (characters)."""


def escaped(text: str, limit: int = MAX_CHARACTERS) -> str:
    """Return ``text`` with its control characters as escape sequences, cut to ``limit`` characters.

    Line breaks could forge log lines, escape sequences could rewrite the screen of a terminal, and invisible or
    reordering characters could make a text look different from its content. The function is idempotent.
    """
    if len(text) > limit:
        text = f"{text[: limit - 1]}…"
    if text.isprintable():
        return text
    shown = "".join(character if _is_shown(character) else _escape(character) for character in text)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def _is_shown(character: str) -> bool:
    # Python does not count a no-break space as printable, but it is harmless.
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def byte_size(text: str, encoding: str = "utf-8") -> int:
    """Return the number of bytes of a text in the environment. Any text has one, also if it has lone surrogates."""
    try:
        return len(text.encode(encoding, "surrogateescape"))
    except UnicodeEncodeError:
        return len(text.encode("utf-8", "surrogatepass"))
