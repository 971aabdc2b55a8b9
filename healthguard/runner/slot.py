"""The state of one service in this process: its last outcome, its run in flight, and the last logged state."""

from __future__ import annotations

from healthguard.runner.changes import Change, LoggedState, logged_state
from healthguard.runner.problems import BACKGROUND_TASK_STUCK, PENDING, REQUESTED, STALE, all_unknown
from healthguard.runner.run import Outcome, Run
from healthguard.service import ServiceNode
from healthguard.status import CheckResult, ServiceReport, Status

SLOW_RUN_WAIT = 0.1
"""The time that requests wait for a run if the previous run took longer than DEADLINE (seconds)."""


class Slot:
    """The state of one service. Its caller holds the runner's lock.

    Args:
        service: the service.
    """

    def __init__(self, service: ServiceNode) -> None:
        self.service = service
        self.outcome: Outcome | None = None
        self.run: Run | None = None
        """The run in flight; also a finished one, as long as a background task of it is still running."""
        self.next: Run | None = None
        """A run that was requested while another, which began before the request, was in flight."""
        self.aborts = 0
        """The number of the last runs in a row that were aborted."""
        self._logged: LoggedState = (Status.UNKNOWN, ())

    def is_due(self, now: float) -> bool:
        """Return True if there is no fresh outcome."""
        return self.outcome is None or now - self.outcome.finished >= self.service.ttl

    def max_wait(self, now: float, deadline: float) -> float:
        """Return the time that requests wait for a new run (seconds).

        It is short if the last run took longer than the deadline, so that a hanging check costs one probe its deadline,
        and not one probe per ttl. A recovery is still noticed, because then the run is quick. If there is no result to
        serve meanwhile, requests wait until the deadline.
        """
        outcome = self.outcome
        if outcome is None or outcome.duration <= deadline or self._is_stale(outcome, now):
            return deadline
        return min(SLOW_RUN_WAIT, deadline)

    def fresh_until(self, now: float) -> float:
        """Return until when the report stays the same, unless a run starts or ends; 0 if there is a run to wait for."""
        service, run, outcome = self.service, self.run, self.outcome
        if run is None:
            return 0.0 if outcome is None else outcome.finished + service.ttl
        if run.wait_until > now and not run.is_finished:
            return 0.0
        stale_from = 0.0 if outcome is None else outcome.finished + service.ttl + service.stale_for
        return min((moment for moment in (run.ends, run.abort_from, stale_from) if moment > now), default=float("inf"))

    def report(self, now: float) -> ServiceReport:
        """Return the current report."""
        service, run, outcome = self.service, self.run, self.outcome
        if self._has_timed_out(now) and run is not None:
            return _report(service, run.results_so_far(), None)
        if outcome is None:
            return _report(service, all_unknown(service, PENDING), None)
        if self._is_stale(outcome, now):
            is_stuck = run is not None and run.is_finished
            return _report(service, all_unknown(service, BACKGROUND_TASK_STUCK if is_stuck else STALE), outcome)
        return _report(service, outcome.results, outcome)

    def requested_report(self, now: float, since: float) -> ServiceReport | None:
        """Return a pending report for a request whose results must come from runs that began after ``since``.

        Return None if there are such results.
        """
        if self._has_timed_out(now):
            # The timeout is such a result too.
            return None
        if self.outcome is not None and self.outcome.finished - self.outcome.duration >= since:
            return None
        return _report(self.service, all_unknown(self.service, REQUESTED), None)

    def changes(self, report: ServiceReport) -> list[Change]:
        """Return the change since the last log line, if there is one. A first run in flight is not a change."""
        state = logged_state(report)
        if state == self._logged or PENDING.code in state[1]:
            return []
        previous, self._logged = self._logged[0], state
        return [(previous, report)]

    def _has_timed_out(self, now: float) -> bool:
        return self.run is not None and now >= self.run.ends and not self.run.is_finished

    def _is_stale(self, outcome: Outcome, now: float) -> bool:
        return now - outcome.finished >= self.service.ttl + self.service.stale_for


def _report(service: ServiceNode, results: tuple[CheckResult, ...], outcome: Outcome | None) -> ServiceReport:
    # A service without checks is not healthy, because nothing was checked.
    status = Status.worst(result.status for result in results) if results else Status.UNKNOWN
    weight = status
    if not service.critical:
        weight = min(status, Status.DEGRADED, key=lambda status: status.severity)
        # A failure of a non-critical service is degraded; unknown stays unknown.
        status = weight if status is Status.UNHEALTHY else status
    return ServiceReport(
        path=service.path,
        status=status,
        weight=weight,
        checks=results,
        checked_at=None if outcome is None else outcome.checked_at,
        finished=None if outcome is None else outcome.finished,
        duration=None if outcome is None else outcome.duration,
    )
