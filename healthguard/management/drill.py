"""The subcommand ``drill``, which runs every sabotage of the declared checks."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from typing import Any, Self

from healthguard.formats import drill as drill_format
from healthguard.formats.text import Style
from healthguard.management import arguments
from healthguard.management.console import Console
from healthguard.management.declaration import NOTHING, read_settings, selected_services
from healthguard.management.errors import INVALID, UsageError
from healthguard.management.progress import Progress
from healthguard.probes.drill import Exercise, drill, worst_proof
from healthguard.service.sabotages import Proof
from healthguard.status import Code

SUMMARY = "prove that the checks can fail"
DESCRIPTION = """\
Prove that the checks can fail: run broken copies of them, which must fail.
Nothing is written, and no data is touched."""
EPILOG = """\
examples:
  all checks
    manage.py healthguard drill
  the checks of one service, for a script
    manage.py healthguard drill database --format json

exit codes:
  0  every broken copy failed as it must
  1  a broken copy passed, or failed for another reason
  2  wrong usage, or an invalid declaration in the settings
"""
SUCCEEDED, FAILED = 0, 1
"""The exit codes: every sabotage is proven; one escaped or was blocked."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the subcommand."""
    arguments.add_selection(parser, "drill")
    parser.add_argument("--strict", action="store_true", help="fail if a check offers no sabotages")
    parser.add_argument(
        "--deadline",
        type=arguments.seconds,
        metavar="SECONDS",
        help="the longest time to wait (default: the timeouts of the services)",
    )
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="the format of the report (default: text)"
    )


def run(options: dict[str, Any], console: Console) -> int:
    """Run the subcommand. Return its exit code.

    Raises:
        UsageError: the options are wrong.
    """
    subcommand = Drill(Options.of(options), console.progress(), may_be_inline=console.may_be_inline)
    exercises = subcommand.exercises()
    console.write(subcommand.rendered(exercises, console.style))
    return subcommand.exit_code(exercises)


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """The options of one call; see :func:`add_arguments` for their meaning."""

    services: tuple[str, ...]
    exclude: tuple[str, ...]
    strict: bool
    deadline: float | None
    format: str

    @classmethod
    def of(cls, options: dict[str, Any]) -> Self:
        """Return the options that the parser has found."""
        values = {field.name: options[field.name] for field in dataclasses.fields(cls)}
        return cls(**{**values, "services": tuple(values["services"]), "exclude": tuple(values["exclude"])})


class Drill:
    """One call of the subcommand.

    Args:
        options: its options.
        progress: shows what it waits for.
        may_be_inline: False to ignore INLINE.

    Raises:
        UsageError: the options are wrong.
    """

    def __init__(self, options: Options, progress: Progress, *, may_be_inline: bool = True) -> None:
        self._options = options
        self._progress = progress
        self._may_be_inline = may_be_inline
        self._tree = selected_services(options.services, options.exclude)

    def exercises(self) -> tuple[Exercise, ...]:
        """Run the sabotages, and return what they have proven.

        Raises:
            UsageError: no check is left to drill.
        """
        try:
            with read_settings():
                exercises = drill(
                    self._tree,
                    deadline=self._options.deadline,
                    show_progress=self._progress.show_running,
                    may_be_inline=self._may_be_inline,
                )
        finally:
            self._progress.clear()
        if not exercises:
            raise UsageError(NOTHING)
        return exercises

    def rendered(self, exercises: Sequence[Exercise], style: Style) -> str:
        """Return the exercises in the requested format."""
        if self._options.format == "json":
            return drill_format.render_json(exercises)
        return drill_format.render(exercises, style)

    def exit_code(self, exercises: Sequence[Exercise]) -> int:
        """Return the exit code that the exercises require."""
        if any(
            exercise.problem is not None and exercise.problem.code == Code.INVALID_DECLARATION for exercise in exercises
        ):
            return INVALID
        accepted = (Proof.PROVEN,) if self._options.strict else (Proof.PROVEN, Proof.UNPROVEN)
        return SUCCEEDED if worst_proof(exercises) in accepted else FAILED
