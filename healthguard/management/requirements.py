"""The subcommand ``requirements``: the needs of the declaration as a JSON file, for pipelines without the settings."""

from __future__ import annotations

import argparse
import difflib
from typing import Any

from healthguard.management.console import Console
from healthguard.management.errors import UsageError
from healthguard.management.requirements_collection import declared_requirements, has_declared_services
from healthguard.requirements.document import DEFAULT_FILE, read_file, to_json
from healthguard.requirements.fields import RequirementsError

SUMMARY = "write what the checks need from the environment, as JSON"
DESCRIPTION = f"""\
Write the variables that the declared checks need to {DEFAULT_FILE}.
Commit the file: a pipeline then checks Kubernetes manifests against it without
the settings. No check is run, and no variable needs to be set. The file contains
no secret."""
EPILOG = f"""\
examples:
  write {DEFAULT_FILE}
    manage.py healthguard requirements
  write to standard output
    manage.py healthguard requirements --output -
  in a pipeline: fail if the committed file is outdated
    manage.py healthguard requirements --check

exit codes:
  0  the file is written; with --check it is up to date
  1  with --check: the file is outdated or missing
  2  wrong usage, or an invalid declaration in the settings
"""
CURRENT, OUTDATED = 0, 1
"""The exit codes: the file is written or up to date; it is outdated or missing."""

_STDOUT = "-"
_UPDATE = "Write it with: python manage.py healthguard requirements"
_NO_SERVICES = (
    "HEALTHGUARD['SERVICES'] is not declared. The default services depend on the variables of this process, so nothing "
    "is required of a deployment. Declare the services."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the subcommand."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--output",
        metavar="FILE",
        default=DEFAULT_FILE,
        help=f"the file to write, or - for standard output (default: {DEFAULT_FILE})",
    )
    group.add_argument(
        "--check",
        nargs="?",
        metavar="FILE",
        const=DEFAULT_FILE,
        help=f"write nothing; fail if this file is outdated (default: {DEFAULT_FILE})",
    )


def run(options: dict[str, Any], console: Console) -> int:
    """Run the subcommand. Return its exit code.

    Raises:
        UsageError: the declaration is invalid, or a file cannot be read or written.
    """
    if not has_declared_services():
        console.write_note(_NO_SERVICES)
    try:
        requirements = declared_requirements()
        text = to_json(requirements)
        if options["check"] is not None:
            return _compare(options["check"], text, console)
    except RequirementsError as error:
        raise UsageError(str(error)) from None
    if options["output"] == _STDOUT:
        console.write(text)
        return CURRENT
    _write(options["output"], text)
    count = len(requirements.variables)
    console.write(f"Wrote {options['output']}: {count} {'requirement' if count == 1 else 'requirements'}.\n")
    return CURRENT


def _compare(path: str, text: str, console: Console) -> int:
    """Compare a file with the text that it must have. Write the difference, and return the exit code."""
    try:
        committed = read_file(path)
    except FileNotFoundError:
        console.write(f"{path} does not exist. {_command(path)}\n")
        return OUTDATED
    if committed == text:
        console.write(f"{path} is up to date.\n")
        return CURRENT
    lines = difflib.unified_diff(committed.splitlines(), text.splitlines(), path, "the declaration", lineterm="")
    console.write("\n".join([*lines, "", f"{path} is outdated. {_command(path)}", ""]))
    return OUTDATED


def _command(path: str) -> str:
    return f"{_UPDATE}." if path == DEFAULT_FILE else f"{_UPDATE} --output {path}"


def _write(path: str, text: str) -> None:
    """Write the file.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise UsageError(f"{path} cannot be written: {reason}.") from None
