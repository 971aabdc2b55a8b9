"""The runner: starts the runs that are due, one thread per run, and stores their outcomes.

At most one run of a service is in flight; requests that come meanwhile wait for the same run (single flight). So the
number of threads is bounded by the number of services, whatever the load and whatever hangs.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterable, Iterator, Mapping

from django.db import connections, transaction

from healthguard.runner.changes import Change, log_changes
from healthguard.runner.problems import NO_THREAD, RUN_CRASHED, all_unhealthy
from healthguard.runner.run import Outcome, Run
from healthguard.runner.slot import Slot
from healthguard.runtime import log
from healthguard.runtime.deadline import deadline_after
from healthguard.service import ServiceNode
from healthguard.status import ServiceReport

_INLINE_LOG_SECONDS = 1.0
"""The longest time that an inline run waits until its log lines are written (seconds)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """The reports of some services at one moment.

    Args:
        reports: one report per service, by its path.
        fresh_until: until when a new snapshot would be the same, unless a run starts or ends (``time.monotonic()``
            seconds); 0 if there is a run to wait for.
        version: the runner's version at that moment.
        taken: the moment (``time.monotonic()`` seconds).
    """

    reports: Mapping[tuple[str, ...], ServiceReport]
    fresh_until: float
    version: int
    taken: float


class Runner:
    """The outcomes of the services of one declaration, and the runs in flight.

    Args:
        services: the services.
    """

    def __init__(self, services: Iterable[ServiceNode]) -> None:
        self._slots = {service.path: Slot(service) for service in services}
        self._lock = threading.Lock()
        self.version = 0
        """A number that grows whenever a run starts or ends. Otherwise reports change only because time passes."""

    def start_due(self, paths: Iterable[tuple[str, ...]], deadline: float, *, fresh: bool = False) -> list[Run]:
        """Start the runs that are due.

        Args:
            paths: the services.
            deadline: how long a request waits for a run at most (seconds from its start).
            fresh: True to run all of them, however fresh their last outcomes are.

        Returns:
            the runs in flight, including those that others have started.
        """
        runs: list[Run] = []
        due: collections.deque[tuple[Slot, Run]] = collections.deque()
        with self._lock:
            now = time.monotonic()
            for path in paths:
                slot = self._slots[path]
                if slot.run is None and (fresh or slot.is_due(now)):
                    max_wait = deadline if fresh else slot.max_wait(now, deadline)
                    slot.run = Run(slot.service, max_wait, slot.aborts, bypass_cache=fresh)
                    due.append((slot, slot.run))
                    self.version += 1
                elif slot.run is not None and fresh:
                    # The run in flight may have read its data before the caller's change: another one follows.
                    slot.next = slot.next or Run(slot.service, deadline, slot.aborts, bypass_cache=True)
                if (run := slot.next if fresh and slot.next else slot.run) is not None:
                    runs.append(run)
        # Not under the lock: of many services the first may have finished before the last is started.
        try:
            while due:
                self._start(*due.popleft())
        finally:
            # Requests may already wait for these runs. They must end, whatever was raised.
            for slot, run in due:
                self._end(slot, run, _without_thread(run))
        return runs

    def run_inline(self, paths: Iterable[tuple[str, ...]]) -> None:
        """Run the services on this thread and on its database connections, however fresh their outcomes are."""
        for path in paths:
            slot = self._slots[path]
            run = Run(slot.service, bypass_cache=True, is_inline=True)
            with _rolled_back():
                outcome = run.execute()
            self._end(slot, run, outcome)
        # A test reads the log right after the answer.
        log.flush(_INLINE_LOG_SECONDS)

    def snapshot(self, paths: Iterable[tuple[str, ...]], since: float | None = None) -> Snapshot:
        """Return the current reports of the services, and abort overdue runs.

        Args:
            paths: the services.
            since: if given, results of runs that began earlier do not count (``time.monotonic()`` seconds).
        """
        reports: dict[tuple[str, ...], ServiceReport] = {}
        fresh_until = float("inf")
        overdue: list[Run] = []
        changes: list[Change] = []
        with self._lock:
            # Read the clock under the lock: a run may end while this thread waits for it.
            now = time.monotonic()
            version = self.version
            for path in paths:
                slot = self._slots[path]
                if slot.run is not None and not slot.run.is_aborted and now >= slot.run.abort_from:
                    slot.run.is_aborted = True
                    overdue.append(slot.run)
                reports[path] = slot.report(now)
                fresh_until = min(fresh_until, slot.fresh_until(now))
                changes += slot.changes(reports[path])
                if since is not None and (requested := slot.requested_report(now, since)) is not None:
                    reports[path] = requested
        for run in overdue:
            run.abort()
        log_changes(changes)
        return Snapshot(reports, fresh_until, version, now)

    def _start(self, slot: Slot, run: Run) -> None:
        run.started = time.monotonic()
        name = f"healthguard-{'.'.join(slot.service.path)}"
        try:
            threading.Thread(target=self._work, args=(slot, run), name=name, daemon=True).start()
        except BaseException as error:
            # The process may have no more threads. The next probe tries again when this outcome is no longer fresh.
            self._end(slot, run, _without_thread(run))
            if not isinstance(error, Exception):
                raise

    def _work(self, slot: Slot, run: Run) -> None:
        try:
            with deadline_after(slot.service.timeout), run.resources.connections.on_this_thread():
                outcome = run.execute()
        except BaseException:
            # execute() catches whatever a check raises. Nothing may reach the thread's excepthook, which prints the
            # text of the exception.
            outcome = Outcome.now(all_unhealthy(slot.service, RUN_CRASHED), run.started)
        self._end(slot, run, outcome)
        if slot.run is run:
            run.resources.wait_until_done()
            with self._lock:
                following = self._release(slot, run)
            if following is not None:
                self._start(slot, following)

    def _end(self, slot: Slot, run: Run, outcome: Outcome) -> None:
        with self._lock:
            if run.is_finished:
                return
            run.is_finished = True
            slot.outcome = outcome
            # Background tasks that a check has left behind do not delay its outcome. But the next run might get stuck
            # beside them.
            following = self._release(slot, run) if run.resources.is_done else None
            changes = slot.changes(slot.report(time.monotonic()))
            self.version += 1
        run.done.set_result(None)
        if following is not None:
            self._start(slot, following)
        log_changes(changes)

    def _release(self, slot: Slot, run: Run) -> Run | None:
        """Remove a run from its slot, and return the run that was requested meanwhile. The caller must start it."""
        slot.aborts = run.aborts + 1 if run.resources.connections.was_aborted else 0
        slot.run, slot.next = slot.next, None
        self.version += 1
        if slot.run is not None:
            # Reports use it from now on, shortly before its thread is started.
            slot.run.started, slot.run.aborts = time.monotonic(), slot.aborts
        return slot.run


@contextlib.contextmanager
def _rolled_back() -> Iterator[None]:
    """Undo the checks' changes to transactions of the caller, in particular an error that has broken one."""
    with contextlib.ExitStack() as blocks:
        for connection in connections.all(initialized_only=True):
            if connection.in_atomic_block:
                blocks.enter_context(transaction.atomic(connection.alias))
                # Runs before the block ends, and makes it end in a rollback to its beginning.
                blocks.callback(transaction.set_rollback, True, connection.alias)
        yield


def _without_thread(run: Run) -> Outcome:
    return Outcome.now(all_unhealthy(run.service, NO_THREAD), run.started)
