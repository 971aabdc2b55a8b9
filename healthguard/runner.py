"""When and where a service's checks run.

A run is one thread, a daemon, that runs a service's checks in order. At most one run of a service is under way:
whoever comes meanwhile waits for the same one. So threads are bounded by the number of services, whatever the load and
whatever hangs.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import datetime
import inspect
import json
import logging
import re
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from typing import TypeAlias

from asgiref.sync import SyncToAsync, ThreadSensitiveContext, async_to_sync
from django.db import Error as DatabaseError
from django.db import connections, transaction
from health_check.base import HealthCheck
from health_check.exceptions import HealthCheckException, ServiceWarning

from healthguard.databases import OwnConnections, problem_of
from healthguard.deadline import REPORTING_SHARE, ending_in
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.redaction import redact
from healthguard.service import CheckSource, ServiceNode
from healthguard.status import NO_EVIDENCE, CheckResult, Evidence, Fault, Problem, ServiceReport, Status
from healthguard.threads import DaemonExecutor

logger = logging.getLogger("healthguard")

# How many calls an async check may have in the default executor of its loop at a time.
_LOOP_THREADS = 8

IMPATIENCE = 0.1
"""How long a run is waited for whose predecessor took longer than anybody waits (seconds)."""

_CUTS_AT_ONCE = 2
"""After how many cuts in a row the next is put off ever longer."""

_LEVELS = {
    Status.HEALTHY: logging.INFO,
    Status.DEGRADED: logging.WARNING,
    Status.UNKNOWN: logging.WARNING,
    Status.UNHEALTHY: logging.ERROR,
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
        is_inline: whether it runs on its caller's thread, and on that thread's database connections.
    """

    def __init__(self, service: ServiceNode, patience: float = 0.0, cuts: int = 0, *, is_inline: bool = False) -> None:
        self.service = service
        self.patience = min(patience, service.timeout)
        self.cuts = cuts
        self.was_cut = False
        self.connections = None if is_inline else OwnConnections(service.timeout * (1 - REPORTING_SHARE))
        self.started = time.monotonic()
        self.done: concurrent.futures.Future[None] = concurrent.futures.Future()
        # From here on nobody can cancel it, in particular not a waiting request whose client has gone.
        self.done.set_running_or_notify_cancel()
        self.results: list[CheckResult] = []

        self._was_cut = False

    @property
    def ends(self) -> float:
        """When it has outlived its timeout (``time.monotonic()`` seconds)."""
        return self.started + self.service.timeout

    @property
    def cut_from(self) -> float:
        """From when on it is not to wait for a database any more (``time.monotonic()`` seconds).

        Each time it may leave a connection behind that the server does not know to be gone. So after some in a row it
        is done ever more rarely: what stalls for hours costs the server a dozen of them.
        """
        return self.started + self.service.timeout * 2.0 ** max(0, self.cuts - _CUTS_AT_ONCE)

    @property
    def awaited_until(self) -> float:
        """From when on nobody waits for it any more (``time.monotonic()`` seconds)."""
        return self.started + self.patience

    def execute(self) -> Outcome:
        """Run the checks, in order, on this thread."""
        with contextlib.nullcontext() if self.connections is None else self.connections.on_this_thread():
            self._run_checks()
        return _outcome(tuple(self.results), self.started)

    def _run_checks(self) -> None:
        results = self.results
        blocked: str | None = None
        for source in self.service.sources:
            if blocked is not None:
                results.append(_not_run(source, blocked))
                continue
            result = _checked(source, max(0.0, self.ends - time.monotonic()), self.connections)
            if time.monotonic() >= self.ends:
                result = CheckResult(source.name, Status.UNHEALTHY, _timeout(self.service.timeout))
            results.append(result)
            if result.is_blocking:
                blocked = source.name

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
        self.was_cut = True
        if self.connections is not None:
            self.connections.cut(self.done.done)


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
        if now < run.awaited_until:
            return 0.0
        stale_from = 0.0 if outcome is None else outcome.finished + service.ttl + service.stale_for
        return min((moment for moment in (run.ends, run.cut_from, stale_from) if moment > now), default=float("inf"))

    def report(self, now: float) -> ServiceReport:
        """What is known now."""
        service, run, outcome = self.service, self.run, self.outcome
        if run is not None and now >= run.ends:
            return _report(service, run.results_so_far(), None)
        if outcome is None:
            return _report(service, _all_unknown(service, _PENDING), None)
        if self._is_stale(outcome, now):
            return _report(service, _all_unknown(service, _STALE), outcome)
        return _report(service, outcome.results, outcome)

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
        with self._lock:
            now = time.monotonic()
            for path in paths:
                slot = self._slots[path]
                if slot.run is None and (fresh or slot.is_due(now)):
                    self._start(slot, Run(slot.service, deadline if fresh else slot.patience(now, deadline), slot.cuts))
                elif slot.run is not None and fresh:
                    # What is under way may have looked before the caller's change: it takes one more to tell.
                    slot.next = slot.next or Run(slot.service, deadline, slot.cuts)
                if (run := slot.next if fresh and slot.next else slot.run) is not None:
                    runs.append(run)
        return runs

    def run_inline(self, paths: Iterable[tuple[str, ...]]) -> None:
        """Run the services at ``paths`` on this thread and on its database connections, whatever is fresh."""
        for path in paths:
            slot = self._slots[path]
            run = Run(slot.service, is_inline=True)
            with _rolled_back():
                outcome = run.execute()
            self._end(slot, run, outcome)

    def look(self, paths: Iterable[tuple[str, ...]]) -> Snapshot:
        """What is known of the services at ``paths``."""
        reports: dict[tuple[str, ...], ServiceReport] = {}
        fresh_until = float("inf")
        changes: list[_Change] = []
        with self._lock:
            # Not before: a run may end while this waits for the lock, and no result is older than now.
            now = time.monotonic()
            version = self.version
            for path in paths:
                slot = self._slots[path]
                if slot.run is not None and not slot.run.was_cut and now >= slot.run.cut_from:
                    slot.run.cut()
                reports[path] = slot.report(now)
                fresh_until = min(fresh_until, slot.fresh_until(now))
                changes += _changes(slot, reports[path])
        _log(changes)
        return Snapshot(reports, fresh_until, version, now)

    def _start(self, slot: _Slot, run: Run) -> None:
        slot.run, run.started = run, time.monotonic()
        self.version += 1
        name = f"healthguard-{'.'.join(slot.service.path)}"
        try:
            threading.Thread(target=self._work, args=(slot, run), name=name, daemon=True).start()
        except RuntimeError:
            # The process may have no more threads. The next probe tries again when this outcome is no longer fresh.
            slot.run = None
            slot.outcome = _outcome(_all_unhealthy(slot.service, _NO_THREAD), run.started)
            run.done.set_result(None)

    def _work(self, slot: _Slot, run: Run) -> None:
        try:
            with ending_in(slot.service.timeout):
                outcome = run.execute()
        except BaseException:
            # Nothing of a check ends here: execute() holds all of that. Never let it reach the thread's excepthook,
            # which prints the text of the exception.
            outcome = _outcome(_all_unhealthy(slot.service, _BROKEN_OFF), run.started)
        self._end(slot, run, outcome)

    def _end(self, slot: _Slot, run: Run, outcome: Outcome) -> None:
        with self._lock:
            slot.outcome, slot.run = outcome, None
            slot.cuts = run.cuts + 1 if run.was_cut else 0
            self.version += 1
            if slot.next is not None:
                following, slot.next = slot.next, None
                self._start(slot, following)
            changes = _changes(slot, slot.report(time.monotonic()))
        run.done.set_result(None)
        _log(changes)


def _checked(source: CheckSource, limit: float, own: OwnConnections | None) -> CheckResult:
    """The result of one check. Whatever it raises, wherever it raises it, becomes a problem of its own.

    Args:
        source: the check.
        limit: how long it may take (seconds).
        own: the run's database connections; None for a run inline.
    """
    try:
        try:
            return _passed(source, _call(source.make(), limit, own))
        except BaseException as error:
            return _failed(source, error)
    except BaseException:
        # Telling the error failed too: it was one like MemoryError, or an exception whose attributes raise.
        return CheckResult(source.name, Status.UNHEALTHY, _UNTELLABLE)


def _call(check: HealthCheck, limit: float, own: OwnConnections | None) -> object:
    told: object = check.run()
    if not inspect.isawaitable(told):
        return told
    if own is not None:
        return _await(told, limit, own)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        # Django's own way runs what is synchronous inside on this thread, on the test's connections.
        return async_to_sync(_awaited)(told)
    # A synchronous client inside an asynchronous test: this thread has a loop already.
    own = OwnConnections(limit * (1 - REPORTING_SHARE))
    return DaemonExecutor(1, contextlib.nullcontext).submit(_await, told, limit, own).result()


async def _awaited(told: Awaitable[object]) -> object:
    return await told


def _await(told: Awaitable[object], limit: float, own: OwnConnections) -> object:
    """Wait for ``told`` in an event loop of its own, with executors of its own, all of them daemons."""
    default, sensitive = DaemonExecutor(_LOOP_THREADS, own.on_this_thread), DaemonExecutor(1, own.on_this_thread)

    async def bounded() -> object:
        asyncio.get_running_loop().set_default_executor(default)
        async with ThreadSensitiveContext() as context:
            SyncToAsync.context_to_thread_executor[context] = sensitive
            # A little more than what is left, so that it is over time when it is cancelled.
            return await asyncio.wait_for(told, limit + 0.01)

    try:
        with _one_loop_at_a_time(), asyncio.Runner() as runner:
            return runner.run(bounded())
    finally:
        default.shutdown()
        sensitive.shutdown()
        # What still hangs in them belongs to this run. Until it ends the run is under way, and no second one is
        # started that would hang beside it.
        default.wait_until_done()
        sensitive.wait_until_done()


_loop_lock = threading.Lock()


@contextlib.contextmanager
def _one_loop_at_a_time() -> Iterator[None]:
    """Under gevent all threads are greenlets of one, and asyncio has one running loop a thread of the system."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        with _loop_lock:
            yield
    else:
        yield


def _passed(source: CheckSource, told: object) -> CheckResult:
    if told is False:
        return CheckResult(source.name, Status.UNHEALTHY, _RETURNED_FALSE)
    if inspect.isgenerator(told) or inspect.isasyncgen(told):
        return CheckResult(source.name, Status.UNHEALTHY, _GENERATOR)
    return CheckResult(source.name, Status.HEALTHY, evidence=_plain(told) if isinstance(told, Mapping) else NO_EVIDENCE)


def _plain(evidence: Mapping[str, Evidence]) -> Mapping[str, Evidence]:
    """``evidence`` as it can be written in every format; in its place, that it cannot be."""
    if not evidence:
        return NO_EVIDENCE
    try:
        plain: dict[str, Evidence] = json.loads(json.dumps(evidence, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return {"evidence": "(not shown: it is not plain JSON)"}
    return plain


def _told(problem: Problem) -> Problem:
    """``problem`` as it can be written in every format; its texts may be lazy translations."""
    return Problem(
        str(problem.code), Fault(problem.fault), str(problem.message), str(problem.hint), _plain(problem.evidence)
    )


def _failed(source: CheckSource, error: BaseException) -> CheckResult:
    if isinstance(error, Unhealthy):
        return CheckResult(source.name, Status.UNHEALTHY, _told(error.problem))
    if isinstance(error, Degraded):
        return CheckResult(source.name, Status.DEGRADED, _told(error.problem))
    if isinstance(error, HealthCheckException):
        status = Status.DEGRADED if isinstance(error, ServiceWarning) else Status.UNHEALTHY
        return CheckResult(source.name, status, _told_by_stranger(source, error))
    if isinstance(error, DatabaseError):
        return CheckResult(source.name, Status.UNHEALTHY, problem_of(error, source.alias))
    return CheckResult(source.name, Status.UNHEALTHY, _unexpected(source, error))


def _told_by_stranger(source: CheckSource, error: HealthCheckException) -> Problem:
    """The problem in an exception of a check written for django-health-check."""
    if isinstance(error.__cause__, DatabaseError):
        return problem_of(error.__cause__, source.alias)
    return Problem(
        re.sub(r"\W+", "_", error.message_type.lower()),
        Fault.OUTAGE,
        redact(str(error.message)),
        f"See what {source.name} looks at, and whether that can be reached from here.",
    )


def _unexpected(source: CheckSource, error: BaseException) -> Problem:
    """The problem in any other exception. Its text is not shown: nobody knows what is in it."""
    kind = type(error).__name__
    evidence: dict[str, Evidence] = {"exception": f"{type(error).__module__}.{kind}"}
    frames = traceback.extract_tb(error.__traceback__)
    if frames:
        evidence["at"] = f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}"
    is_outage = isinstance(error, OSError) and not isinstance(error, FileNotFoundError | PermissionError)
    return Problem(
        "exception",
        Fault.OUTAGE if is_outage else Fault.CONFIG,
        f"{source.name} raised {kind}.",
        "Look at the place it names; a check should raise Unhealthy or Degraded and say what is wrong."
        if not is_outage
        else f"See whether what {source.name} looks at can be reached from here.",
        evidence,
    )


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
_STALE = Problem(
    "stale",
    Fault.OUTAGE,
    "The last result is too old, and the next run still under way.",
    "Ask again; if it stays, the checks are slower than DEADLINE: raise ttl or stale_for.",
)
_RETURNED_FALSE = Problem(
    "returned_false",
    Fault.CONFIG,
    "The check returned False instead of raising.",
    "Let it raise Unhealthy, with what is wrong and the remedy.",
)
_GENERATOR = Problem(
    "generator",
    Fault.CONFIG,
    "The check's run() is a generator: nothing of it was run.",
    "Take the yield out of run().",
)
_UNTELLABLE = Problem(
    "exception",
    Fault.CONFIG,
    "The check raised what cannot be told.",
    "Look at the check, and at the process's memory.",
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


def _all_unknown(service: ServiceNode, problem: Problem) -> tuple[CheckResult, ...]:
    return tuple(CheckResult(source.name, Status.UNKNOWN, problem) for source in service.sources)


def _all_unhealthy(service: ServiceNode, problem: Problem) -> tuple[CheckResult, ...]:
    return tuple(CheckResult(source.name, Status.UNHEALTHY, problem) for source in service.sources)


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
    """The change since the last log line, if there is one to tell. Not yet to know is none."""
    codes = tuple(problem.code for problem in report.problems)
    told = (report.status, codes)
    if told == slot.logged or "pending" in codes or "stale" in codes:
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
        logger.log(
            _LEVELS[report.status],
            "%s: %s -> %s%s",
            ".".join(report.path),
            previous,
            report.status,
            f": {reasons}" if reasons else "",
        )
