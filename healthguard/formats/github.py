"""The format of GitHub Actions: one annotation per problem, and a summary in Markdown.

The rules of escaping are those of the runner: https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from healthguard.formats.text import DRAINING
from healthguard.probes.tolerance import LENIENT, Tolerance
from healthguard.status import Problem, Report, ServiceReport, Status

_MARKS = {
    Status.HEALTHY: "✅",
    Status.DEGRADED: "⚠️",
    Status.UNKNOWN: "❔",
    Status.UNHEALTHY: "❌",
}


def render(report: Report, text: str = "", *, tolerance: Tolerance = LENIENT) -> str:
    """Return one workflow command per problem: an error if it makes the command fail, otherwise a warning.

    Args:
        report: the report.
        text: the report as text, which is shown before the commands. No line of it is read as a command.
        tolerance: the problems that are only warnings.
    """
    end = secrets.token_hex(16)
    lines = [f"::stop-commands::{end}", *text.splitlines(), f"::{end}::"] if text else []
    lines += [line for service in report.services() for line in _annotations(service, tolerance)]
    lines += [_command("error", "draining", DRAINING)] if report.draining else []
    return "".join(f"{line}\n" for line in lines)


def render_summary(report: Report) -> str:
    """Return the summary of a job in Markdown: a table of the services, and a list of the problems."""
    lines = [f"### {_MARKS[report.status]} healthguard: {report.status}", "", "| service | status |", "|---|---|"]
    lines += [f"| {_cell(service.name)} | {_MARKS[service.status]} {service.status} |" for service in report.services()]
    for service in report.services():
        for check, status, problem in _problems(service):
            title = f"{service.name}: {check} ({problem.code})"
            lines += ["", f"{_MARKS[status]} **{_cell(title)}**: {_cell(problem.message)} {_cell(problem.hint)}"]
    return "\n".join(lines) + "\n"


def _annotations(service: ServiceReport, tolerance: Tolerance) -> Iterator[str]:
    problems = list(_problems(service))
    if not problems and service.status is not Status.HEALTHY:
        level = "error" if tolerance.is_failure(service.weight) else "warning"
        yield _command(level, service.name, f"The service is {service.status}.")
    for check, status, problem in problems:
        level = "error" if tolerance.is_failure(status, problem.code) else "warning"
        title = f"{service.name}: {check} ({problem.code})"
        yield _command(level, title, problem.explanation)


def _problems(service: ServiceReport) -> Iterator[tuple[str, Status, Problem]]:
    """Yield the name of each check with a problem, the status with which it counts, and the problem."""
    for result in service.checks:
        if result.problem is not None and not result.is_not_run:
            yield result.check, service.counted(result), result.problem


def _command(level: str, title: str, message: str) -> str:
    return f"::{level} title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _cell(text: str) -> str:
    """Return the text for a cell of a table in Markdown, where it must not end the cell or become HTML."""
    for character in "\\`*_{}[]<>|#":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())
