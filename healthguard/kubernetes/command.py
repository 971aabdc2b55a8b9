"""The check of manifests, from its options to its output. Two commands use it: with and without Django."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from healthguard.kubernetes import bugs
from healthguard.kubernetes.options import Options
from healthguard.runtime.garbage_collection import suspended_collection
from healthguard.runtime.terminal import Terminal
from healthguard.runtime.text import escaped

if TYPE_CHECKING:
    from healthguard.kubernetes.examination import Examination
    from healthguard.requirements.requirement import Requirements


class CommandError(Exception):
    """The command cannot be executed. The text states the fact and the remedy, for the user."""


@contextlib.contextmanager
def _reported_bugs() -> Iterator[None]:
    """Raise a CommandError for an exception that nobody expected. A traceback could contain a value."""
    try:
        yield
    except CommandError:
        raise
    except Exception as error:
        raise CommandError(f"The command failed: {bugs.describe(error)}. {bugs.REMEDY}") from None


@_reported_bugs()
@suspended_collection()
def examine_inputs(options: Options, requirements: Requirements, stdin: BinaryIO | None) -> Examination:
    """Read the inputs, and apply the rules to them.

    Args:
        options: the options.
        requirements: the requirements of the declaration. Those of ``--require`` are added to them.
        stdin: standard input; None if it is closed.

    Raises:
        CommandError: PyYAML is not installed, or standard input is closed or named twice.
    """
    _require_yaml()
    # Imported only here, because they need PyYAML.
    from healthguard.kubernetes.examination import examine
    from healthguard.kubernetes.reading.errors import UnreadableInputError
    from healthguard.kubernetes.reading.inputs import read

    try:
        inputs = read(options.paths, _stdin(options.paths, stdin))
    except UnreadableInputError as error:
        raise CommandError(escaped(str(error))) from None
    return examine(
        inputs.objects,
        with_variables(requirements, options.require),
        containers=options.container,
        strict=options.strict,
        strict_unknown=options.strict_unknown,
        advice=options.advice,
        errors=inputs.errors,
        unread=inputs.unread,
    )


def read_requirements(path: str) -> Requirements:
    """Return the requirements in a file.

    Raises:
        CommandError: the file cannot be read, or does not contain requirements.
    """
    from healthguard.requirements.document import read_requirements as read_document
    from healthguard.requirements.fields import RequirementsError

    try:
        return read_document(path)
    except RequirementsError as error:
        raise CommandError(escaped(str(error))) from None


def with_variables(requirements: Requirements, names: Iterable[str]) -> Requirements:
    """Return the requirements, and one for each variable that they do not contain yet."""
    from healthguard.requirements.variable import VariableRequirement

    known = {name for requirement in requirements.variables for name in requirement.names}
    added = [VariableRequirement((name,), "--require") for name in dict.fromkeys(names) if name not in known]
    return dataclasses.replace(requirements, variables=(*requirements.variables, *added))


@_reported_bugs()
def render(examination: Examination, output_format: str, terminal: Terminal) -> str:
    """Return the examination in a format.

    Args:
        examination: the examination.
        output_format: one of the formats of the options.
        terminal: the abilities of the stream; only text uses them.
    """
    # A format is imported only if it is used.
    match output_format:
        case "json":
            from healthguard.kubernetes.formats import json

            return json.render(examination)
        case "sarif":
            from healthguard.kubernetes.formats import sarif

            return sarif.render(examination)
    from healthguard.kubernetes.formats import text

    if output_format == "github":
        from healthguard.kubernetes.formats import github

        return github.render(examination, text.render(examination, terminal))
    return text.render(examination, terminal)


def write_job_summary(examination: Examination) -> None:
    """Append the examination to the summary of the job, if GitHub Actions runs this process.

    Raises:
        CommandError: the file of the summary cannot be written.
    """
    from healthguard.kubernetes.formats.github import render_summary
    from healthguard.runtime.workflow_commands import JobSummaryError, append_to_job_summary

    try:
        append_to_job_summary(lambda: render_summary(examination))
    except JobSummaryError as error:
        raise CommandError(str(error)) from None


def _require_yaml() -> None:
    try:
        import yaml  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "yaml":
            raise
        raise CommandError(
            'PyYAML is not installed. Install it: pip install "django-healthguard[kubernetes]"'
        ) from None


def _stdin(paths: Iterable[str], stdin: BinaryIO | None) -> BinaryIO:
    """Return standard input.

    Raises:
        CommandError: it is named, but closed, or named twice.
    """
    count = sum(path == "-" for path in paths)
    if count > 1:
        raise CommandError("Standard input is named more than once. Name - only once.")
    if count and stdin is None:
        raise CommandError("Standard input is closed. Pipe manifests into the command, or name files.")
    if stdin is None:
        import io

        return io.BytesIO()
    return stdin
