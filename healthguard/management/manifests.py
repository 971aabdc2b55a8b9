"""The subcommand ``manifests``: Kubernetes manifests are checked against the declaration of the settings."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from healthguard.kubernetes import command, options
from healthguard.kubernetes.options import Options
from healthguard.management.errors import UsageError

if TYPE_CHECKING:
    from healthguard.management.console import Console
    from healthguard.requirements.requirement import Requirements

SUMMARY = "check Kubernetes manifests against the declaration"
DESCRIPTION = options.DESCRIPTION
EPILOG = f"""\
examples:
  all manifests of a folder
    manage.py healthguard manifests deploy/
  an overlay of kustomize, in a pipeline
    manage.py healthguard manifests --strict overlays/production
  what Helm renders
    helm template shop ./chart | manage.py healthguard manifests -

A pipeline without the settings runs "python -m healthguard.kubernetes", with
the file that "manage.py healthguard requirements" has written.

{options.EXIT_CODES}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the subcommand."""
    options.add_arguments(parser)
    options.add_requirements_argument(parser, "the declaration of the settings")


def run(arguments: dict[str, Any], console: Console) -> int:
    """Run the subcommand. Return its exit code.

    Raises:
        UsageError: the arguments are wrong, or the declaration is invalid.
    """
    parsed = Options.of(arguments)
    try:
        stdin = getattr(sys.stdin, "buffer", None)
        examination = command.examine_inputs(parsed, _requirements(parsed), stdin)
        console.write(command.render(examination, parsed.format, console.style))
        if parsed.format == "github":
            command.write_job_summary(examination)
    except command.CommandError as error:
        raise UsageError(str(error)) from None
    return examination.exit_code


def _requirements(parsed: Options) -> Requirements:
    if parsed.requirements is not None:
        return command.read_requirements(parsed.requirements)
    from healthguard.management.requirements_collection import declared_requirements

    return declared_requirements()
