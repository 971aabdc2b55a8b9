"""The log lines for changes of a service's status."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from healthguard.runtime import log
from healthguard.status import Code, ServiceReport, Status

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


def log_changes(changes: Iterable[Change]) -> None:
    """Log one line per change, with the reason. kubelet discards the body of a probe, so the log must have it."""
    for previous, report in changes:
        reasons = "; ".join(
            f"{result.check}: {result.problem.summary}"
            for result in report.checks
            if result.problem is not None and result.problem.code != Code.NOT_RUN
        )
        log.write(
            _LEVELS[report.status],
            "%s: %s -> %s%s",
            ".".join(report.path),
            previous,
            report.status,
            f": {reasons}" if reasons else "",
        )
