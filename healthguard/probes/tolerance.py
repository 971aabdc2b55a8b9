"""The problems that a command tolerates: those whose codes are allowed, and degraded services unless it is strict."""

from __future__ import annotations

import dataclasses

from healthguard.status import CheckResult, Report, ServiceReport, Status


@dataclasses.dataclass(frozen=True, slots=True)
class Tolerance:
    """The problems that do not make a command fail.

    Args:
        allowed: the codes of the problems that count as degraded, and never make it fail.
        is_strict: True if all other degraded checks make it fail.
    """

    allowed: tuple[str, ...] = ()
    is_strict: bool = False

    def applied_to(self, report: Report) -> Report:
        """Return the report with the status degraded for each check whose problem is allowed."""
        return report.with_results(self._applied_to_result)

    def rejects(self, report: Report) -> bool:
        """Return True if the report makes the command fail."""
        return not report.status.is_serving or any(map(self._rejects_service, report.services()))

    def is_failure(self, status: Status, code: str = "") -> bool:
        """Return True if a check that counts with this status makes the command fail.

        Args:
            status: the status.
            code: the code of its problem; empty if it is not known.
        """
        is_strict = self.is_strict and code not in self.allowed
        return not status.is_serving or (is_strict and status is Status.DEGRADED)

    def _rejects_service(self, service: ServiceReport) -> bool:
        if not service.problems:
            return self.is_failure(service.weight)
        return any(
            self.is_failure(service.counted(result), result.problem.code)
            for result in service.checks
            if result.problem is not None and not result.is_not_run
        )

    def _applied_to_result(self, result: CheckResult) -> CheckResult:
        if result.status is not Status.UNHEALTHY or result.problem is None or result.problem.code not in self.allowed:
            return result
        return dataclasses.replace(result, status=Status.DEGRADED)


LENIENT = Tolerance()
"""Only unhealthy and unknown services make the command fail."""
