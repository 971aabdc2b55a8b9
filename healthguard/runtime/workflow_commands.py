"""Workflow commands of GitHub Actions, and cells of a table in Markdown, that no text can break out of.

The rules of escaping are those of the runner: https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable


def command(level: str, title: str, message: str, *, file: str = "", line: int | None = None) -> str:
    """Return the command that shows an annotation.

    Args:
        level: ``error``, ``warning`` or ``notice``.
        title: its title.
        message: its text, which may have several lines.
        file: the path of the file, relative to the root of the repository; empty if it is not about one.
        line: the line of the file (from 1); None if it is not about one.
    """
    place = [f"file={_property(file)}"] if file else []
    place += [f"line={line}"] if file and line is not None else []
    return f"::{level} {','.join([*place, f'title={_property(title)}'])}::{_data(message)}"


def not_commands(text: str) -> list[str]:
    """Return the lines of a text, between commands with which the runner reads no line of it as a command."""
    end = secrets.token_hex(16)
    return [f"::stop-commands::{end}", *text.splitlines(), f"::{end}::"] if text else []


def cell(text: str) -> str:
    """Return the text for a cell of a table in Markdown, where it must not end the cell or become HTML."""
    for character in "\\`*_{}[]<>|#":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())


class JobSummaryError(Exception):
    """The file of the summary of a job cannot be written. The text states the fact, for the user."""


def append_to_job_summary(render: Callable[[], str]) -> None:
    """Append a text in Markdown to the summary of the job, if GitHub Actions runs this process.

    Args:
        render: returns the text. It is called only if there is a summary.

    Raises:
        JobSummaryError: the file of the summary cannot be written.
    """
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(render())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise JobSummaryError(f"The file that GITHUB_STEP_SUMMARY names cannot be written: {reason}.") from None


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
