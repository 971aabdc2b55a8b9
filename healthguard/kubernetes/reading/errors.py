"""Inputs that cannot be read: the file, the line, the reason and the remedy."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class InputError:
    """An input, or a part of one, that could not be read. No field contains a part of its content.

    Args:
        file: the path of the file or folder as the user gave it; ``<stdin>`` for standard input.
        line: the line of the fault (from 1); None if the fault is not on one line.
        message: the fact, as one sentence.
        remedy: the remedy in the imperative, as one or more sentences.
    """

    file: str
    line: int | None
    message: str
    remedy: str


class UnreadableInputError(Exception):
    """An input cannot be read.

    Args:
        error: the fault and its remedy.
    """

    def __init__(self, error: InputError) -> None:
        super().__init__(error)
        self.error = error

    def __str__(self) -> str:
        place = self.error.file if self.error.line is None else f"{self.error.file}:{self.error.line}"
        return f"{place}: {self.error.message} {self.error.remedy}"


class InvalidDocumentError(Exception):
    """A document is not valid. Neither the message nor the remedy contains a part of it.

    Args:
        line: the line of the fault (from 1).
        message: the fact, as one sentence.
        remedy: the remedy in the imperative.
    """

    def __init__(self, line: int, message: str, remedy: str) -> None:
        super().__init__(line, message, remedy)
        self.line = line
        self.message = message
        self.remedy = remedy

    def in_file(self, file: str) -> InputError:
        """Return the error for a document of this file."""
        return InputError(file, self.line, self.message, self.remedy)


class LimitExceededError(InvalidDocumentError):
    """A document is too large, or nested too deeply."""
