"""The state of one service, as this process knows it: its newest outcome, its run in flight, its last logged state."""

from __future__ import annotations

import dataclasses

from healthguard.runner.changes import LoggedState, logged_state
from healthguard.runner.outcome import Outcome
from healthguard.runner.pod.knowledge import StatusChange
from healthguard.runner.pod.store import STALE_KIND, LogPosition, kind_of
from healthguard.runner.problems import BACKGROUND_TASK_STUCK, PENDING, REQUESTED, STALE, all_unknown
from healthguard.runner.run import Run
from healthguard.service import ServiceNode
from healthguard.status import CheckResult, ServiceReport, Status

SLOW_RUN_WAIT = 0.1
"""The time that requests wait for a run if the previous run took longer than DEADLINE (seconds)."""


class Slot:
    """The state of one service. Its caller holds the runner's lock.

    Args:
        service: the service.
        key: the name of the service in the store of the pod; None if the other processes do not share its outcomes.
    """

    def __init__(self, service: ServiceNode, key: str | None = None) -> None:
        self.service = service
        self.key = key
        self.outcome: Outcome | None = None
        """The newest outcome, of this process or of another one of the pod."""
        self.position = (0, False)
        """The position of the newest outcome that has a number in the pod."""
        self.requested: float | None = None
        """The moment at which a run was first requested after the newest outcome (``time.monotonic()`` seconds)."""
        self.run: Run | None = None
        """The run in flight; also a finished one, as long as a background task of it is still running."""
        self.next: Run | None = None
        """A run that was requested while another, which began before the request, was in flight."""
        self.logged: LoggedState = (Status.UNKNOWN, ())
        self._is_local = False
        """True if no other process has the newest outcome."""
        self._has_logged_local = False
        """True if no other process has the outcome whose state was logged last."""

    @property
    def aborts(self) -> int:
        """The number of the last runs in a row that were aborted."""
        return 0 if self.outcome is None else self.outcome.aborts

    def adopt(self, outcome: Outcome, *, is_local: bool = False) -> bool:
        """Use an outcome, unless there is a newer one; return True if it is used.

        Args:
            outcome: the outcome.
            is_local: True if it is of a run that has no number in the pod, because it is not shared.
        """
        if is_local:
            outcome = dataclasses.replace(outcome, generation=self.position[0])
        elif outcome.position <= self.position:
            return False
        else:
            self.position = outcome.position
        self.outcome, self._is_local = outcome, is_local
        if outcome.is_final:
            self.requested = None
        return True

    def request(self, now: float) -> None:
        """Store that a run is requested."""
        self.requested = now if self.requested is None else min(self.requested, now)

    def is_due(self, now: float) -> bool:
        """Return True if there is no fresh outcome."""
        return self.outcome is None or not self.outcome.is_final or now >= self.outcome.fresh_until

    def max_wait(self, now: float, deadline: float) -> float:
        """Return the time that requests wait for a new run (seconds).

        It is short if the last run took longer than the deadline, so that a hanging check costs one probe its deadline,
        and not one probe per ttl. A recovery is still noticed, because then the run is quick. If the last result is so
        old that nobody can have asked for a long time, requests wait until the deadline.
        """
        outcome = self.outcome
        if outcome is None or outcome.duration <= deadline:
            return deadline
        if outcome.is_final and now >= outcome.fresh_until + self.service.stale_for:
            return deadline
        return min(SLOW_RUN_WAIT, deadline)

    def fresh_until(self, now: float) -> float:
        """Return until when the report stays the same, unless a run starts or ends.

        It is 0 if there is a run to wait for, or if a run must be requested.
        """
        run, outcome = self.run, self.outcome
        if run is None:
            return 0.0 if self.is_due(now) or outcome is None else outcome.fresh_until
        if run.wait_until > now and not run.is_finished:
            return 0.0
        stale_from = 0.0 if outcome is None else self._stale_from(outcome)
        moments = [stale_from, run.ends, run.abort_from]
        if outcome is not None and self.requested is None:
            if self.is_due(now):
                return 0.0
            # From then on a request counts: the outcome may become stale.
            moments.append(outcome.fresh_until)
        return min((moment for moment in moments if moment > now), default=float("inf"))

    def report(self, now: float) -> ServiceReport:
        """Return the current report."""
        service, run, outcome = self.service, self.run, self.outcome
        if outcome is None:
            return _report(service, all_unknown(service, PENDING), None)
        if not outcome.is_final:
            return _report(service, outcome.results, None)
        if self.is_stale(now):
            is_stuck = run is not None and run.is_finished
            return _report(service, all_unknown(service, BACKGROUND_TASK_STUCK if is_stuck else STALE), outcome)
        return _report(service, outcome.results, outcome)

    def changes(self, now: float) -> list[StatusChange]:
        """Return the change since the last log line, if there is one. A first run in flight is not a change."""
        report = self.report(now)
        state = logged_state(report)
        if state == self.logged or self.outcome is None:
            return []
        previous, self.logged = self.logged, state
        is_own, self._has_logged_local = self._has_logged_local, self._is_local
        kind = STALE_KIND if self.is_stale(now) else kind_of(self.outcome)
        position = LogPosition(self.outcome.generation, kind)
        return [StatusChange(None if self._is_local else self.key, position, previous, state, report, is_own)]

    def requested_report(self, since: float) -> ServiceReport | None:
        """Return a pending report for a request whose results must come from runs that began after ``since``.

        Return None if there are such results. A timeout counts as one if it has expired since, or if its run still
        hangs in this process, because it is then still true.
        """
        if self.outcome is not None and self._answers(self.outcome, since):
            return None
        return _report(self.service, all_unknown(self.service, REQUESTED), None)

    def _answers(self, outcome: Outcome, since: float) -> bool:
        if outcome.started >= since:
            return True
        return not outcome.is_final and (outcome.finished >= since or self._is_hanging(outcome))

    def _is_hanging(self, late: Outcome) -> bool:
        """Return True if the run whose timeout is the outcome ``late`` is still in flight in this process."""
        run = self.run
        if run is None or run.is_finished or run.is_remote:
            return False
        # A run that another process has taken over began at another time.
        return run.started == late.started

    def is_stale(self, now: float) -> bool:
        """Return True if the newest outcome may no longer be served."""
        return self.outcome is not None and self.outcome.is_final and now >= self._stale_from(self.outcome)

    def _stale_from(self, outcome: Outcome) -> float:
        """Return the moment from which an outcome may no longer be served.

        It counts from the first request for a new run: if nobody asks for a while, that is not a fault of the service.
        """
        if self.requested is None:
            return float("inf")
        return max(outcome.fresh_until, self.requested) + self.service.stale_for


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
