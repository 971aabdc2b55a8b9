"""The streams of the command, and the style in which it writes."""

from __future__ import annotations

import dataclasses

from django.core.management.base import OutputWrapper

from healthguard.formats.text import Style
from healthguard.management.errors import UsageError
from healthguard.management.progress import Progress


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
        """Write a note to standard error."""
        self.stderr.write(text)

    def progress(self) -> Progress:
        """Return the display of the progress."""
        return Progress(self.stderr)
