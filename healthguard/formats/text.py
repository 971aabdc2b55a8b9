"""The text format, for people: the services with problems first, each with the reason and the remedy."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

from django.core.management.base import OutputWrapper

from healthguard.runtime.terminal import Terminal, terminal_of
from healthguard.service.selection import LeftOut
from healthguard.status import CheckResult, Problem, Report, ServiceReport, Status

_COLORS = {Status.HEALTHY: "green", Status.DEGRADED: "yellow", Status.UNKNOWN: "yellow", Status.UNHEALTHY: "red"}
_SYMBOLS = {Status.HEALTHY: "✓", Status.DEGRADED: "!", Status.UNKNOWN: "?", Status.UNHEALTHY: "✗"}
_WORDS = {
    Status.HEALTHY: "healthy",
    Status.DEGRADED: "DEGRADED",
    Status.UNKNOWN: "UNKNOWN",
    Status.UNHEALTHY: "UNHEALTHY",
}
DRAINING = "The pod is draining, so it is not ready. Its DRAIN_FILE exists."
NO_DETAILS = "The reason is not shown: the service has no checks, or no valid token was sent."
"""The text for a service that is not healthy, and whose checks are not known."""


@dataclasses.dataclass(frozen=True, slots=True)
class Style(Terminal):
    """The appearance of the text.

    Args:
        is_colored: True for colors and symbols, as on a terminal. False for words.
        width: the width at which lines are wrapped (characters); None to wrap no line.
        verbosity: 0 to leave out the services without problems, 2 to include the evidence.
    """

    verbosity: int = 1

    def mark(self, status: Status) -> str:
        """Return the symbol of a status, or its word, padded to the width of the longest."""
        marks: Mapping[Status, str] = _SYMBOLS if self.is_colored else _WORDS
        return self.paint(marks[status].ljust(self.mark_width), _COLORS[status])

    @property
    def mark_width(self) -> int:
        """The width of a mark (characters)."""
        return max(map(len, (_SYMBOLS if self.is_colored else _WORDS).values()))

    def explained(self, problem: Problem, indent: str) -> Iterator[str]:
        """Yield the lines of a problem: the message, the hint, and the line of code that raised an exception."""
        yield from self.wrapped(problem.message, indent)
        yield from self.wrapped(problem.hint, indent, "→ " if self.is_colored else "Fix: ")
        if problem.place is not None:
            yield from self.wrapped(f"At: {problem.place}", indent)


def style_of(stream: TextIO | OutputWrapper, *, is_colored: bool | None = None, verbosity: int = 1) -> Style:
    """Return the appearance of the text on a stream.

    Args:
        stream: the stream.
        is_colored: True or False to use or to avoid colors and symbols; None to use them on a terminal, unless NO_COLOR
            is set (https://no-color.org).
        verbosity: the verbosity of the command.
    """
    terminal = terminal_of(stream, is_colored=is_colored)
    return Style(terminal.is_colored, terminal.width, verbosity)


def render(report: Report, style: Style = Style(), left_out: tuple[LeftOut, ...] = ()) -> str:
    """Return the text: one block per service with a problem, one line per other service, and a summary.

    Args:
        report: the report.
        style: the appearance.
        left_out: the checks that were left out, and are named at the end.
    """
    services = report.services()
    failing = sorted(
        (service for service in services if service.problems or service.status is not Status.HEALTHY),
        key=lambda service: -service.status.severity,
    )
    passed = [service for service in services if service not in failing]
    width = max((len(service.name) for service in passed), default=0)
    lines = [line for service in failing for line in (*_block(service, style), "")]
    if style.verbosity > 0:
        for service in passed:
            lines += _passed(service, width, style)
        lines += [""] if passed else []
    if left_out:
        checks = ", ".join(f"{entry.name} {entry.check}" for entry in left_out)
        lines += [*style.wrapped(f"Not checked: {checks}.", ""), ""]
    return "\n".join([*lines, _summary(report, services, style)]) + "\n"


def _block(service: ServiceReport, style: Style) -> Iterator[str]:
    yield f"{style.mark(service.status)} {style.paint(service.name, 'bold')}{_duration(service, style)}"
    indent = "  "
    not_run = [result.check for result in service.checks if result.is_not_run]
    for result in service.checks:
        if not result.is_not_run:
            yield from _result(result, indent, style)
    if not_run:
        mark = style.mark(Status.UNKNOWN)
        yield f"{indent}{mark} {', '.join(not_run)}: not run, because of the problem above"
    if not service.checks and service.status is not Status.HEALTHY:
        yield from style.wrapped(NO_DETAILS, indent * 2)


def _result(result: CheckResult, indent: str, style: Style) -> Iterator[str]:
    problem = result.problem
    kind = "" if problem is None else style.paint(f"  {problem.code} ({problem.fault})", _COLORS[result.status])
    yield f"{indent}{style.mark(result.status)} {result.check}{kind}"
    deeper = indent + " " * (style.mark_width + 1)
    if problem is not None:
        yield from style.explained(problem, deeper)
    if style.verbosity > 1:
        yield from _evidence(result, deeper, style)


def _passed(service: ServiceReport, width: int, style: Style) -> Iterator[str]:
    checks = ", ".join(result.check for result in service.checks)
    name = service.name.ljust(width) if checks else service.name
    line = f"{style.mark(service.status)} {name}  {checks}".rstrip()
    yield line + _duration(service, style)
    if style.verbosity > 1:
        for result in service.checks:
            yield from _evidence(result, " " * (style.mark_width + 1), style)


def _evidence(result: CheckResult, indent: str, style: Style) -> Iterator[str]:
    evidence = result.evidence if result.problem is None else result.problem.evidence
    for name, value in evidence.items():
        yield from style.wrapped(f"{name}: {value}", indent)


def _duration(service: ServiceReport, style: Style) -> str:
    if service.duration is None:
        return ""
    milliseconds = service.duration * 1000
    text = f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{service.duration:.1f} s"
    return f"  ({text})"


def _summary(report: Report, services: Sequence[ServiceReport], style: Style) -> str:
    counts = {status: sum(service.status is status for service in services) for status in reversed(Status)}
    parts = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    draining = ", draining" if report.draining else ""
    status = style.paint(report.status.value.capitalize(), _COLORS[report.status])
    noun = "service" if len(services) == 1 else "services"
    return f"{status}: {len(services)} {noun}, of which {parts}{draining}."
