"""The streams of the command, and the style in which it writes."""

from __future__ import annotations

import dataclasses
import sys
from typing import TextIO

from django.core.management.base import OutputWrapper

from healthguard.formats.text import Style
from healthguard.management.errors import UsageError
from healthguard.management.progress import Progress
from healthguard.runtime.streams import discard


@dataclasses.dataclass(frozen=True, slots=True)
class Console:
    """The output of one call of the command.

    Args:
        stdout: the stream of the result.
        stderr: the stream of notes and of the progress.
        style: the style of texts for people.
        may_be_inline: False to ignore INLINE.
    """

    stdout: OutputWrapper
    stderr: OutputWrapper
    style: Style
    may_be_inline: bool = True

    def write(self, text: str) -> None:
        """Write a result to standard output.

        Raises:
            UsageError: it cannot be written.
        """
        try:
            self.stdout.write(text, ending="")
            self.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UsageError(f"The report cannot be written to standard output: {error.strerror}.") from None

    def write_note(self, text: str) -> None:
        """Write a note to standard error. Never raises."""
        _write_at_once(self.stderr, text, sys.stderr)

    def announce(self, text: str) -> None:
        """Write a line about a success at once, unless only problems are shown. Never raises."""
        if self.style.verbosity > 0:
            _write_at_once(self.stdout, text, sys.stdout)

    def progress(self) -> Progress:
        """Return the display of the progress."""
        return Progress(self.stderr)


def _write_at_once(wrapper: OutputWrapper, text: str, stream: TextIO | None) -> None:
    """Write a line. A stream that is closed or full is discarded, because Python would fail to flush it at its end."""
    try:
        wrapper.write(text)
        wrapper.flush()
    except (OSError, ValueError):
        discard(stream)
