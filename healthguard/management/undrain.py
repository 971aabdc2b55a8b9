"""The subcommand ``undrain``, which ends the draining of a pod that continues to run."""

from __future__ import annotations

import argparse
from typing import Any

from healthguard.management.console import Console
from healthguard.management.declaration import declared_drain_file
from healthguard.probes.draining import DrainFileError, remove_drain_file

SUMMARY = "let the ready probe succeed again"
DESCRIPTION = """\
Remove the file of DRAIN_FILE, so that the ready probe no longer answers 503
because of it. A file that does not exist is not an error."""
EPILOG = """\
examples:
  after an aborted shutdown, or to put a pod back into rotation
    manage.py healthguard undrain

exit codes:
  0  DRAIN_FILE does not exist
  1  DRAIN_FILE could not be removed
  2  wrong usage, DRAIN_FILE is not declared, or the declaration cannot be read
"""
SUCCEEDED, FAILED = 0, 1
"""The exit codes: DRAIN_FILE does not exist; it could not be removed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no argument: the path is that of the setting."""


def run(options: dict[str, Any], console: Console) -> int:
    """Run the subcommand. Return its exit code.

    Raises:
        UsageError: DRAIN_FILE is not declared, or the declaration cannot be read.
    """
    try:
        is_removed = remove_drain_file(declared_drain_file())
    except DrainFileError as error:
        console.write_note(str(error))
        return FAILED
    if is_removed:
        console.announce("The pod is no longer draining: DRAIN_FILE was removed.")
    else:
        console.announce("The pod is not draining: DRAIN_FILE does not exist.")
    return SUCCEEDED
