"""When and where a service's checks run.

A run is one thread, a daemon, that runs a service's checks in order. At most one run of a service is under way:
whoever comes meanwhile waits for the same one. So threads are bounded by the number of services, whatever the load and
whatever hangs.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import dataclasses
import datetime
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from django.db import connections, transaction

from healthguard import log
from healthguard.deadline import ending_in
from healthguard.execution import Surroundings, result_of
from healthguard.freshness import SPREAD, going_by
from healthguard.service import CheckSource, ServiceNode
from healthguard.status import CheckResult, Fault, Problem, ServiceReport, Status

IMPATIENCE = 0.1
"""How long a run is waited for whose predecessor took longer than anybody waits (seconds)."""

_INLINE_LOG_SECONDS = 1.0
"""The longest time that an inline run waits until its log lines are written (seconds)."""

_CUTS_AT_ONCE = 2
"""After how many cuts in a row the next is put off ever longer."""
_CUT_SECONDS = 60.0
"""How long it is put off at most, unless the service's timeout is longer (seconds)."""

_LEVELS = {
    Status.HEALTHY: log.INFO,
    Status.DEGRADED: log.WARNING,
    Status.UNKNOWN: log.WARNING,
    Status.UNHEALTHY: log.ERROR,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What a run that has ended found.

    Args:
        results: a result a check.
        finished: when it ended (``time.monotonic()`` seconds).
        checked_at: when it ended, by the wall clock.
        duration: how long it took (seconds).
    """

    results: tuple[CheckResult, ...]
    finished: float
    checked_at: datetime.datetime
    duration: float


class Run:
    """One run of a service: under way, or done.

    Args:
        service: what is run.
        patience: how long a request waits for it (seconds from its start).
        cuts: how many runs before it, one after the other, had to be cut.
        is_anew: whether somebody has asked to look anew: then no check goes by what it remembers.
        is_inline: whether it runs on its caller's thread, and on that thread's database connections.
    """

    def __init__(
        self,
        service: ServiceNode,
        patience: float = 0.0,
        cuts: int = 0,
        *,
        is_anew: bool = False,
        is_inline: bool = False,
    ) -> None:
        self.service = service
        self.patience = min(patience, service.timeout)
        self.cuts = cuts
        self.is_cut = False
        self.is_told = False
        """Whether its outcome is known. :attr:`done` follows at once, for those who wait for it."""
        self.is_anew = is_anew
        self.is_inline = is_inline
        self.surroundings = Surroundings(service.timeout)
        self.started = time.monotonic()
        self.done: concurrent.futures.Future[None] = concurrent.futures.Future()
        # From here on nobody can cancel it, in particular not a waiting request whose client has gone.
        self.done.set_running_or_notify_cancel()
        self.results: list[CheckResult] = []

    @property
    def ends(self) -> float:
        """When it has outlived its timeout (``time.monotonic()`` seconds)."""
        return self.started + self.service.timeout

    @property
    def cut_from(self) -> float:
        """From when on it is not to wait for a database any more (``time.monotonic()`` seconds).

        Each time it may leave a connection behind that the server does not know to be gone. So after some in a row it
        is done ever more rarely, but not so rarely that nobody would see that all is well again.
        """
        timeout = self.service.timeout
        return self.started + max(timeout, min(timeout * 2.0 ** max(0, self.cuts - _CUTS_AT_ONCE), _CUT_SECONDS))

    @property
    def awaited_until(self) -> float:
        """From when on nobody waits for it any more (``time.monotonic()`` seconds)."""
        return self.started + self.patience

    def execute(self) -> Outcome:
        """Run the checks, in order, on this thread."""
        results = self.results
        blocked: str | None = None
        unusable: dict[str, CheckResult] = {}
        for source in self.service.sources:
            if blocked is not None:
                results.append(_not_run(source, blocked))
                continue
            if source.database in unusable:
                results.append(_not_run_for(source, unusable[source.database]))
                continue
            limit = max(0.0, self.ends - time.monotonic())
            with going_by(0.0 if self.is_anew else self.service.ttl * (1 - SPREAD)):
                result = result_of(source, limit, None if self.is_inline else self.surroundings)
            if time.monotonic() >= self.ends:
                result = CheckResult(source.name, Status.UNHEALTHY, _timeout(self.service.timeout))
            results.append(result)
            if result.is_blocking:
                blocked = source.name
            elif result.unusable_database is not None:
                unusable.setdefault(result.unusable_database, result)
        return _outcome(tuple(results), self.started)

    def results_so_far(self) -> tuple[CheckResult, ...]:
        """What is known of a run that has outlived its timeout: its current check is the one that hangs."""
        results = list(self.results)
        waiting = self.service.sources[len(results) :]
        if waiting:
            results.append(CheckResult(waiting[0].name, Status.UNHEALTHY, _timeout(self.service.timeout)))
            results += [_not_run(source, waiting[0].name) for source in waiting[1:]]
        return tuple(results)

    def cut(self) -> None:
        """Let it wait for no database any more. What else it hangs in only it can end."""
        self.surroundings.connections.cut(lambda: self.is_told and self.surroundings.is_done)


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of some services at one moment.

    Args:
        reports: a report a service, by its path.
        fresh_until: until when a new one would say the same, unless a run starts or ends (``time.monotonic()``
            seconds); 0 while there is a run to wait for.
        version: the runner's version at that moment.
        taken: the moment (``time.monotonic()`` seconds).
    """

    reports: Mapping[tuple[str, ...], ServiceReport]
    fresh_until: float
    version: int
    taken: float


class _Slot:
    """The place of one service: its last outcome, the run under way, and what was logged of it last."""

    def __init__(self, service: ServiceNode) -> None:
        self.service = service
        self.outcome: Outcome | None = None
        self.run: Run | None = None
        """The run under way; after it has told its outcome, as long as something of it still hangs somewhere."""
        self.next: Run | None = None
        """A run that was asked for while another, which began before, is under way."""
        self.cuts = 0
        """How many of the last runs, one after the other, had to be cut."""
        self.logged: _Told = (Status.UNKNOWN, ())

    def is_due(self, now: float) -> bool:
        """Whether the last outcome, if there is one, is no longer fresh."""
        return self.outcome is None or now - self.outcome.finished >= self.service.ttl

    def patience(self, now: float, deadline: float) -> float:
        """How long to wait for a new run: hardly, where the last one took so long that it would be in vain.

        So what hangs costs one probe its deadline, and not one probe each time that it is due; and what is mended is
        told at once, for then it does not take long. Where there is nothing to serve meanwhile, it is waited for.
        """
        outcome = self.outcome
        if outcome is None or outcome.duration <= deadline or self._is_stale(outcome, now):
            return deadline
        return min(IMPATIENCE, deadline)

    def fresh_until(self, now: float) -> float:
        """Until when :meth:`report` stays what it is, unless a run starts or ends; 0 while there is one to wait for."""
        service, run, outcome = self.service, self.run, self.outcome
        if run is None:
            return 0.0 if outcome is None else outcome.finished + service.ttl
        if run.awaited_until > now and not run.is_told:
            return 0.0
        stale_from = 0.0 if outcome is None else outcome.finished + service.ttl + service.stale_for
        return min((moment for moment in (run.ends, run.cut_from, stale_from) if moment > now), default=float("inf"))

    def report(self, now: float) -> ServiceReport:
        """What is known now."""
        service, run, outcome = self.service, self.run, self.outcome
        if run is not None and now >= run.ends and not run.is_told:
            return _report(service, run.results_so_far(), None)
        if outcome is None:
            return _report(service, _all_unknown(service, _PENDING), None)
        if self._is_stale(outcome, now):
            left = run is not None and run.is_told
            return _report(service, _all_unknown(service, _LEFT_HANGING if left else _STALE), outcome)
        return _report(service, outcome.results, outcome)

    def began_before(self, moment: float, now: float) -> bool:
        """Return True if :meth:`report` goes by a run that began before ``moment``, or by none."""
        if self.run is not None and now >= self.run.ends and not self.run.is_told:
            # That it hangs is known now.
            return False
        return self.outcome is None or self.outcome.finished - self.outcome.duration < moment

    def _is_stale(self, outcome: Outcome, now: float) -> bool:
        return now - outcome.finished >= self.service.ttl + self.service.stale_for


_Told: TypeAlias = tuple[Status, tuple[str, ...]]


class Runner:
    """Holds the outcomes of the services of one declaration, and runs what is due.

    Args:
        services: the services.
    """

    def __init__(self, services: Iterable[ServiceNode]) -> None:
        self._slots = {service.path: _Slot(service) for service in services}
        self._lock = threading.Lock()
        self.version = 0
        """Grows with every run that starts or ends: nothing changes between, but for the passing of time."""

    def start_due(self, paths: Iterable[tuple[str, ...]], deadline: float, *, fresh: bool = False) -> list[Run]:
        """Start what is due of the services at ``paths``, or all of them if ``fresh``.

        Args:
            paths: the services.
            deadline: how long a request waits for a run at most (seconds from its start).
            fresh: whether to run them however fresh their last outcomes are.

        Returns:
            the runs under way, also those that others have started.
        """
        runs: list[Run] = []
        due: collections.deque[tuple[_Slot, Run]] = collections.deque()
        with self._lock:
            now = time.monotonic()
            for path in paths:
                slot = self._slots[path]
                if slot.run is None and (fresh or slot.is_due(now)):
                    patience = deadline if fresh else slot.patience(now, deadline)
                    slot.run = Run(slot.service, patience, slot.cuts, is_anew=fresh)
                    due.append((slot, slot.run))
                    self.version += 1
                elif slot.run is not None and fresh:
                    # What is under way may have looked before the caller's change: it takes one more to tell.
                    slot.next = slot.next or Run(slot.service, deadline, slot.cuts, is_anew=True)
                if (run := slot.next if fresh and slot.next else slot.run) is not None:
                    runs.append(run)
        # Not under the lock: of many services the first may have ended before the last is started.
        try:
            while due:
                self._start(*due.popleft())
        finally:
            # What was announced must not be waited for for ever, whatever has come between.
            for slot, run in due:
                self._end(slot, run, _without_thread(run))
        return runs

    def run_inline(self, paths: Iterable[tuple[str, ...]]) -> None:
        """Run the services at ``paths`` on this thread and on its database connections, whatever is fresh."""
        for path in paths:
            slot = self._slots[path]
            run = Run(slot.service, is_anew=True, is_inline=True)
            with _rolled_back():
                outcome = run.execute()
            self._end(slot, run, outcome)
        # A test reads the log right after the answer.
        log.flush(_INLINE_LOG_SECONDS)

    def look(self, paths: Iterable[tuple[str, ...]], since: float | None = None) -> Snapshot:
        """Return what is known of the services at ``paths``.

        Args:
            paths: the services.
            since: if given, results of runs that began earlier do not count (``time.monotonic()`` seconds).
        """
        reports: dict[tuple[str, ...], ServiceReport] = {}
        fresh_until = float("inf")
        overdue: list[Run] = []
        changes: list[_Change] = []
        with self._lock:
            # Not before: a run may end while this waits for the lock, and no result is older than now.
            now = time.monotonic()
            version = self.version
            for path in paths:
                slot = self._slots[path]
                if slot.run is not None and not slot.run.is_cut and now >= slot.run.cut_from:
                    slot.run.is_cut = True
                    overdue.append(slot.run)
                reports[path] = slot.report(now)
                fresh_until = min(fresh_until, slot.fresh_until(now))
                changes += _changes(slot, reports[path])
                if since is not None and slot.began_before(since, now):
                    reports[path] = _report(slot.service, _all_unknown(slot.service, _REQUESTED), None)
        for run in overdue:
            run.cut()
        _log(changes)
        return Snapshot(reports, fresh_until, version, now)

    def _start(self, slot: _Slot, run: Run) -> None:
        run.started = time.monotonic()
        name = f"healthguard-{'.'.join(slot.service.path)}"
        try:
            threading.Thread(target=self._work, args=(slot, run), name=name, daemon=True).start()
        except BaseException as error:
            # The process may have no more threads. The next probe tries again when this outcome is no longer fresh.
            self._end(slot, run, _without_thread(run))
            if not isinstance(error, Exception):
                raise

    def _work(self, slot: _Slot, run: Run) -> None:
        try:
            with ending_in(slot.service.timeout), run.surroundings.connections.on_this_thread():
                outcome = run.execute()
        except BaseException:
            # Nothing of a check ends here: execute() holds all of that. Never let it reach the thread's excepthook,
            # which prints the text of the exception.
            outcome = _outcome(_all_unhealthy(slot.service, _BROKEN_OFF), run.started)
        self._end(slot, run, outcome)
        if slot.run is run:
            run.surroundings.wait_until_done()
            with self._lock:
                following = self._free(slot, run)
            if following is not None:
                self._start(slot, following)

    def _end(self, slot: _Slot, run: Run, outcome: Outcome) -> None:
        with self._lock:
            if run.is_told:
                return
            run.is_told = True
            slot.outcome = outcome
            # What its checks have left hanging somewhere when they were told to end does not delay the outcome. But
            # the next run might hang beside it.
            following = self._free(slot, run) if run.surroundings.is_done else None
            changes = _changes(slot, slot.report(time.monotonic()))
            self.version += 1
        run.done.set_result(None)
        if following is not None:
            self._start(slot, following)
        _log(changes)

    def _free(self, slot: _Slot, run: Run) -> Run | None:
        """Let the service be run again; the run that somebody has asked for meanwhile, for the caller to start."""
        slot.cuts = run.cuts + 1 if run.surroundings.connections.was_cut else 0
        slot.run, slot.next = slot.next, None
        self.version += 1
        if slot.run is not None:
            # It is what is looked at from now on, a moment before its thread is started.
            slot.run.started, slot.run.cuts = time.monotonic(), slot.cuts
        return slot.run


@contextlib.contextmanager
def _rolled_back() -> Iterator[None]:
    """Undo what the checks did to transactions of the caller, in particular that an error in them broke them."""
    with contextlib.ExitStack() as blocks:
        for connection in connections.all(initialized_only=True):
            if connection.in_atomic_block:
                blocks.enter_context(transaction.atomic(connection.alias))
                # Runs before the block ends, and makes it end in a rollback to where it began.
                blocks.callback(transaction.set_rollback, True, connection.alias)
        yield


# Problems of the runner's own.
_PENDING = Problem(
    "pending", Fault.OUTAGE, "The first run is still under way.", "Ask again: the answer is a matter of seconds."
)
_REQUESTED = Problem(
    "pending",
    Fault.OUTAGE,
    "The run that this request started is still in flight.",
    "Request the answer again, without fresh=1; the result is stored as soon as the run ends.",
)
_STALE = Problem(
    "stale",
    Fault.OUTAGE,
    "The last result is too old, and the next run still under way.",
    "Ask again; if it stays, the checks are slower than DEADLINE: raise ttl or stale_for.",
)
_LEFT_HANGING = Problem(
    "left_hanging",
    Fault.OUTAGE,
    "The last result is too old: something that a check has left behind in an executor hangs since.",
    "See what the check waits for there, and give that a limit of its own.",
)
_BROKEN_OFF = Problem(
    "exception", Fault.CONFIG, "The run broke off outside its checks.", "Report it to healthguard, with the versions."
)
_NO_THREAD = Problem(
    "no_thread",
    Fault.OUTAGE,
    "The process cannot start another thread.",
    "Look at the process's threads and at its limits (ulimit -u, the pod's pids limit).",
)


def _timeout(limit: float) -> Problem:
    return Problem(
        "timeout",
        Fault.OUTAGE,
        f"The check took longer than the service's timeout of {limit:g} s.",
        "See what it waits for; if it is just slow, give its Service a longer timeout.",
        {"timeout_seconds": limit},
    )


def _not_run(source: CheckSource, blocked_by: str) -> CheckResult:
    problem = Problem(
        "not_run",
        Fault.OUTAGE,
        f"Not run, because {blocked_by} before it failed for an outage.",
        f"Mend what {blocked_by} tells of.",
    )
    return CheckResult(source.name, Status.UNKNOWN, problem)


def _not_run_for(source: CheckSource, failed: CheckResult) -> CheckResult:
    problem = Problem(
        "not_run",
        Fault.CONFIG,
        f"Not run, because {failed.check} before it found that the database cannot be used.",
        f"Fix what {failed.check} reports.",
    )
    return CheckResult(source.name, Status.UNKNOWN, problem)


def _all_unknown(service: ServiceNode, problem: Problem) -> tuple[CheckResult, ...]:
    return tuple(CheckResult(source.name, Status.UNKNOWN, problem) for source in service.sources)


def _all_unhealthy(service: ServiceNode, problem: Problem) -> tuple[CheckResult, ...]:
    return tuple(CheckResult(source.name, Status.UNHEALTHY, problem) for source in service.sources)


def _without_thread(run: Run) -> Outcome:
    return _outcome(_all_unhealthy(run.service, _NO_THREAD), run.started)


def _outcome(results: tuple[CheckResult, ...], started: float) -> Outcome:
    finished = time.monotonic()
    return Outcome(results, finished, datetime.datetime.now(datetime.UTC), finished - started)


def _report(service: ServiceNode, results: tuple[CheckResult, ...], outcome: Outcome | None) -> ServiceReport:
    # No check at all is not healthy: nothing was checked.
    status = Status.worst(result.status for result in results) if results else Status.UNKNOWN
    weight = status
    if not service.critical:
        weight = min(status, Status.DEGRADED, key=lambda status: status.severity)
        # A failure of what is not critical is told as degraded; what is not known stays unknown.
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


_Change: TypeAlias = tuple[Status, ServiceReport]


def _changes(slot: _Slot, report: ServiceReport) -> list[_Change]:
    """Return the change since the last log line, if there is one. A first run in flight is none."""
    codes = tuple(problem.code for problem in report.problems)
    told = (report.status, codes)
    if told == slot.logged or "pending" in codes:
        return []
    previous, slot.logged = slot.logged[0], told
    return [(previous, report)]


def _log(changes: Iterable[_Change]) -> None:
    """One line a change, with the reason: kubelet throws the body of a probe away, so it is found here."""
    for previous, report in changes:
        reasons = "; ".join(
            f"{problem.message} {problem.hint} [{problem.code}, {problem.fault}]"
            for problem in report.problems
            if problem.code != "not_run"
        )
        log.write(
            _LEVELS[report.status],
            "%s: %s -> %s%s",
            ".".join(report.path),
            previous,
            report.status,
            f": {reasons}" if reasons else "",
        )
