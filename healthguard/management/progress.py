"""The progress of a command: one line on a terminal that is replaced, or one line per change elsewhere."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterable
from typing import TextIO

from django.core.management.base import OutputWrapper

_CLEAR = "\r\x1b[K"


class Progress:
    """A line on standard error that says what the command waits for.

    Args:
        stream: the stream.
    """

    def __init__(self, stream: TextIO | OutputWrapper) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._since = time.monotonic()
        self._reason = ""

    def show_running(self, paths: Iterable[tuple[str, ...]]) -> None:
        """Show the services that are running. Elsewhere than on a terminal, nothing is shown."""
        if self._is_terminal:
            names = ", ".join("/".join(path) for path in paths)
            self._replace(f"Checking {names} ({self._seconds():.0f} s)")

    def show_reason(self, reason: str, wait: float) -> None:
        """Show why the command waits, and for how long at most (seconds)."""
        if self._is_terminal:
            self._replace(f"Waiting ({self._seconds():.0f} of {wait:g} s): {reason}")
        elif reason != self._reason:
            self._reason = reason
            self._write(f"Waiting for up to {wait:g} s: {reason}\n")

    def clear(self) -> None:
        """Remove the line from the terminal."""
        if self._is_terminal:
            self._write(_CLEAR)

    def _replace(self, text: str) -> None:
        width = shutil.get_terminal_size().columns
        self._write(_CLEAR + (text if len(text) < width else f"{text[: max(0, width - 2)]}…"))

    def _seconds(self) -> float:
        return time.monotonic() - self._since

    def _write(self, text: str) -> None:
        # The progress is a courtesy: a closed standard error does not end the command.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
