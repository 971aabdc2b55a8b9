"""The error of a command that was used in a wrong way."""

from __future__ import annotations

from django.core.management.base import CommandError

INVALID = 2
"""The exit code for wrong usage, and for an invalid declaration."""


class UsageError(CommandError):
    """The arguments are wrong. Its text is for the user; Django writes it to standard error."""

    def __init__(self, text: str) -> None:
        super().__init__(text, returncode=INVALID)
