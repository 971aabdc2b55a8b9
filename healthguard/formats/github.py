"""The format of GitHub Actions: one annotation per problem, and a summary in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from healthguard.formats.text import DRAINING
from healthguard.probes.tolerance import LENIENT, Tolerance
from healthguard.runtime.workflow_commands import cell, command, not_commands
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
    lines = not_commands(text)
    lines += [line for service in report.services() for line in _annotations(service, tolerance)]
    lines += [command("error", "draining", DRAINING)] if report.draining else []
    return "".join(f"{line}\n" for line in lines)


def render_summary(report: Report) -> str:
    """Return the summary of a job in Markdown: a table of the services, and a list of the problems."""
    lines = [f"### {_MARKS[report.status]} healthguard: {report.status}", "", "| service | status |", "|---|---|"]
    lines += [f"| {cell(service.name)} | {_MARKS[service.status]} {service.status} |" for service in report.services()]
    for service in report.services():
        for check, status, problem in _problems(service):
            title = f"{service.name}: {check} ({problem.code})"
            lines += ["", f"{_MARKS[status]} **{cell(title)}**: {cell(problem.message)} {cell(problem.hint)}"]
    return "\n".join(lines) + "\n"


def _annotations(service: ServiceReport, tolerance: Tolerance) -> Iterator[str]:
    problems = list(_problems(service))
    if not problems and service.status is not Status.HEALTHY:
        level = "error" if tolerance.is_failure(service.weight) else "warning"
        yield command(level, service.name, f"The service is {service.status}.")
    for check, status, problem in problems:
        level = "error" if tolerance.is_failure(status, problem.code) else "warning"
        title = f"{service.name}: {check} ({problem.code})"
        yield command(level, title, problem.explanation)


def _problems(service: ServiceReport) -> Iterator[tuple[str, Status, Problem]]:
    """Yield the name of each check with a problem, the status with which it counts, and the problem."""
    for result in service.checks:
        if result.problem is not None and not result.is_not_run:
            yield result.check, service.counted(result), result.problem
