"""The subcommand ``drain``, for a preStop hook: the pod is draining while its server still accepts requests."""

from __future__ import annotations

import argparse
import time
from typing import Any

from healthguard.management import arguments
from healthguard.management.console import Console
from healthguard.management.declaration import declared_drain_file
from healthguard.management.errors import UsageError
from healthguard.probes.draining import DrainFileError, create_drain_file

SUMMARY = "let the ready probe fail before a shutdown"
DESCRIPTION = """\
Create the file of DRAIN_FILE, so that the ready probe answers 503, and sleep
until load balancers have noticed it. Use it as the preStop hook of Kubernetes.
If the file cannot be created, the reason is written at once, and the command
sleeps nevertheless."""
EPILOG = """\
examples:
  as a preStop hook
    manage.py healthguard drain --sleep 15

exit codes:
  0  DRAIN_FILE exists
  1  DRAIN_FILE could not be created
  2  wrong usage, DRAIN_FILE is not declared, or the declaration cannot be read
"""
SUCCEEDED, FAILED = 0, 1
"""The exit codes: DRAIN_FILE exists; it could not be created."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the subcommand."""
    parser.add_argument(
        "--sleep",
        type=arguments.pause,
        default=0.0,
        metavar="SECONDS",
        help="the time to sleep after that (default: 0)",
    )


def run(options: dict[str, Any], console: Console) -> int:
    """Run the subcommand. Return its exit code.

    An error is raised only after the sleep, because kubelet stops the server as soon as the hook has ended.

    Raises:
        UsageError: with --traceback, DRAIN_FILE is not declared, or the declaration cannot be read.
        DrainFileError: with --traceback, the file cannot be created.
    """
    seconds: float = options["sleep"]
    failure: DrainFileError | UsageError | None = None
    try:
        create_drain_file(declared_drain_file())
    except (DrainFileError, UsageError) as error:
        failure = error
        console.write_note(str(error))
    else:
        sleeping = f" Sleeping for {seconds:g} s." if seconds else ""
        console.announce(f"The pod is draining: DRAIN_FILE exists.{sleeping}")
    time.sleep(seconds)
    if failure is not None and options["traceback"]:
        raise failure
    if isinstance(failure, UsageError):
        return failure.returncode
    return SUCCEEDED if failure is None else FAILED
