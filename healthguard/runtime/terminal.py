"""Text on a terminal: colors, and lines that are wrapped at its width."""

from __future__ import annotations

import dataclasses
import os
import shutil
import textwrap
from collections.abc import Iterator
from typing import Protocol

_NARROWEST = 40
"""The smallest width at which lines are wrapped (characters)."""
# https://www.ecma-international.org/publications-and-standards/standards/ecma-48/, "SGR".
_CODES = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class Stream(Protocol):
    """A stream that may be a terminal."""

    def isatty(self) -> bool:
        """Return True if the stream is a terminal."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Terminal:
    """The abilities of the stream to which a text is written.

    Args:
        is_colored: True for colors and symbols, as on a terminal. False for words.
        width: the width at which lines are wrapped (characters); None to wrap no line.
    """

    is_colored: bool = False
    width: int | None = None

    def paint(self, text: str, *looks: str) -> str:
        """Return the text in a color or in bold, if there are colors."""
        codes = [_CODES[look] for look in looks]
        if not self.is_colored or not text or not codes:
            return text
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m"

    def wrapped(self, text: str, indent: str, prefix: str = "") -> Iterator[str]:
        """Yield the lines of a paragraph that begins with ``prefix``. The lines after the first are as deep as it."""
        return self.hanging(text, indent + prefix, indent + " " * len(prefix))

    def hanging(self, text: str, first: str, rest: str) -> Iterator[str]:
        """Yield the lines of a paragraph: the first begins with ``first``, and the others with ``rest``."""
        if self.width is None:
            yield f"{first}{text}"
            return
        wrapper = textwrap.TextWrapper(
            max(self.width, _NARROWEST),
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )
        yield from wrapper.wrap(text)


PLAIN = Terminal()
"""A stream that is not a terminal."""


def terminal_of(stream: Stream, *, is_colored: bool | None = None) -> Terminal:
    """Return the abilities of a stream.

    Args:
        stream: the stream.
        is_colored: True or False to use or to avoid colors and symbols; None to use them on a terminal, unless NO_COLOR
            is set (https://no-color.org).
    """
    is_terminal = stream.isatty()
    if is_colored is None:
        is_colored = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    has_symbols = (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
    return Terminal(is_colored and has_symbols, shutil.get_terminal_size().columns if is_terminal else None)
