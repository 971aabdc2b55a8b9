"""The changes of a service's status: a log line for each, and a signal."""

from __future__ import annotations

from typing import TypeAlias

from healthguard.runner.receivers import send_change
from healthguard.runtime import log
from healthguard.status import ServiceReport, Status

Change: TypeAlias = tuple[str, ServiceReport]
"""The status before a change, and the report after it."""

LoggedState: TypeAlias = tuple[str, tuple[str, ...]]
"""The status and the problem codes that were logged last."""

_LEVELS = {
    Status.HEALTHY: log.INFO,
    Status.DEGRADED: log.WARNING,
    Status.UNKNOWN: log.WARNING,
    Status.UNHEALTHY: log.ERROR,
}


def logged_state(report: ServiceReport) -> LoggedState:
    """Return the part of a report whose change is logged."""
    return report.status, tuple(problem.code for problem in report.problems)


def announce(change: Change, *, is_inline: bool = False) -> None:
    """Log a change, and send it to the receivers of the signal ``status_changed``.

    The log line contains the reason, because kubelet discards the body of a probe.

    Args:
        change: the change.
        is_inline: True to call the receivers on this thread.
    """
    previous, report = change
    results = [(each.check, each.problem) for each in report.checks if each.problem is not None and not each.is_not_run]
    reasons = "; ".join(f"{check}: {problem.summary}" for check, problem in results)
    log.write(
        _LEVELS[report.status],
        "%s: %s -> %s%s",
        ".".join(report.path),
        previous,
        report.status,
        f": {reasons}" if reasons else "",
    )
    problems = tuple(problem for _, problem in results)
    send_change(report.path, Status(previous), report.status, problems, is_inline=is_inline)
