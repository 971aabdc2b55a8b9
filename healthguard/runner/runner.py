"""The runner: starts the runs that are due, and stores their outcomes.

At most one run of a service is in flight in the pod; requests that come meanwhile wait for the same run (single
flight), in whichever process it is. So the number of threads of a process is bounded by the number of services,
whatever the load and whatever hangs.
"""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Iterable

from healthguard.runner.change_log import ChangeLog
from healthguard.runner.inline import rolled_back
from healthguard.runner.outcome import Outcome
from healthguard.runner.pod.knowledge import PodKnowledge
from healthguard.runner.pod.records import Claim
from healthguard.runner.problems import NO_THREAD, RUN_CRASHED
from healthguard.runner.rounds import Round, Schedule, StartedRun, rounds_of
from healthguard.runner.run import Run
from healthguard.runner.slot import Slot
from healthguard.runner.snapshot import Snapshot, Version
from healthguard.runner.watcher import Watcher
from healthguard.runtime import log
from healthguard.runtime.deadline import deadline_after
from healthguard.service import ServiceNode
from healthguard.status import ServiceReport

_INLINE_LOG_SECONDS = 1.0
"""The longest time that an inline run waits until its log lines are written (seconds)."""
_POLL_SECONDS = 0.01
"""The time between two checks of the runs of other processes (seconds)."""


class Runner:
    """The outcomes of the services of one declaration, and the runs in flight.

    Args:
        services: the services.
        pod: what the processes of the pod know; by default this process shares nothing.
    """

    def __init__(self, services: Iterable[ServiceNode], pod: PodKnowledge | None = None) -> None:
        self._pod = pod or PodKnowledge()
        self._slots = {service.path: Slot(service, self._pod.key_of(service)) for service in services}
        self._shared = {slot.key: slot for slot in self._slots.values() if slot.key is not None}
        self._schedule = Schedule(self._slots.values())
        self._lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._change_log = ChangeLog(self._pod)
        self._changes = 0
        self._mark = b""
        self._rounds: list[Round] = []
        self._watcher = Watcher(self._watch)

    @property
    def version(self) -> Version:
        """The current version. Reports of one version differ only because time passes."""
        return self._changes, self._pod.mark

    def start_due(
        self, paths: Iterable[tuple[str, ...]], deadline: float, *, fresh: bool = False, keeps_cache: bool = False
    ) -> list[Run]:
        """Start the runs that are due, and return those in flight, including those that others have started.

        Args:
            paths: the services.
            deadline: how long a request waits for a run at most (seconds from its start).
            fresh: True to run all of them, however fresh their last outcomes are.
            keeps_cache: with ``fresh``, True if checks may use what earlier runs have cached, like verdicts on keys.
        """
        self._sync()
        runs: list[Run] = []
        due: list[StartedRun] = []
        try:
            with self._lock:
                now = time.monotonic()
                for path in paths:
                    slot = self._slots[path]
                    is_due = fresh or slot.is_due(now)
                    if is_due:
                        slot.request(now)
                    if slot.run is None and is_due:
                        max_wait = deadline if fresh else slot.max_wait(now, deadline)
                        slot.run = Run(slot.service, max_wait, slot.aborts, bypass_cache=fresh and not keeps_cache)
                        due.append((slot, slot.run))
                        self._changes += 1
                    elif slot.run is not None and fresh:
                        # The run in flight may have read its data before the caller's change: another one follows.
                        slot.next = slot.next or Run(slot.service, deadline, slot.aborts, bypass_cache=not keeps_cache)
                    if (run := slot.next if fresh and slot.next else slot.run) is not None:
                        runs.append(run)
        finally:
            # Not under the lock: of many services the first may have finished before the last is started. And if an
            # error is raised, others may already wait for these runs.
            self._start(due)
        if self._rounds or any(run.is_remote or run.claim is not None for run in runs):
            # It may not have been possible to start its thread before.
            self._watcher.ensure()
        return runs

    def run_inline(self, paths: Iterable[tuple[str, ...]]) -> None:
        """Run the services on this thread and on its database connections, however fresh their outcomes are."""
        for path in paths:
            slot = self._slots[path]
            run = Run(slot.service, bypass_cache=True, is_inline=True)
            with rolled_back():
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
        self._sync()
        slots = [self._slots[path] for path in paths]
        for slot in slots:
            self._end_overdue(slot)
        reports: dict[tuple[str, ...], ServiceReport] = {}
        fresh_until = float("inf")
        with self._lock:
            # Read the clock under the lock: a run may end while this thread waits for it.
            now = time.monotonic()
            version = self._changes, self._mark
            for slot in slots:
                reports[slot.service.path] = slot.report(now)
                fresh_until = min(fresh_until, slot.fresh_until(now))
                self._change_log.add(slot.changes(now))
                if since is not None and (requested := slot.requested_report(since)) is not None:
                    reports[slot.service.path] = requested
        self._change_log.write()
        return Snapshot(reports, fresh_until, version, now)

    def _start(self, due: Iterable[StartedRun]) -> None:
        """Start runs in this process, unless another process of the pod is executing them."""
        waiting = collections.deque(due)
        own: list[StartedRun] = []
        busy: set[str] = set()
        try:
            while waiting:
                slot, run = waiting[0]
                aliases = slot.service.aliases
                if busy & aliases:
                    # The process that runs the first of these services is about to claim the others too.
                    self._wait_for_others(slot, run, None)
                elif self._is_own(slot, run):
                    own.append((slot, run))
                else:
                    busy |= aliases
                waiting.popleft()
            for round_ in rounds_of(own):
                self._start_round(round_)
                own = [started for started in own if started not in round_.runs]
        finally:
            # Requests may already wait for these runs. They must end, whatever was raised.
            for slot, run in (*own, *waiting):
                self._end(slot, run, run.failure(NO_THREAD), is_shared=False)

    def _is_own(self, slot: Slot, run: Run) -> bool:
        """Return True if this process must execute a run.

        Otherwise the run has ended with an outcome of another process, or waits for one.
        """
        if run.is_remote:
            # Another process may have stored that the run is late.
            self._sync()
        while slot.key is not None:
            with self._lock:
                known, requested = slot.position, slot.requested or time.monotonic()
            if self._end_answered(slot, run):
                return False
            taken = self._pod.take(slot.key, known, requested, slot.service.timeout)
            if taken is None:
                break
            if isinstance(taken, Outcome):
                self._adopt(slot, taken)
                if self._end_answered(slot, run):
                    return False
                with self._lock:
                    slot.request(requested)
                continue
            if not self._pod.is_own(taken):
                self._wait_for_others(slot, run, taken)
                return False
            with self._lock:
                is_finished = run.is_finished
                if not is_finished:
                    run.claim, run.generation, run.aborts = taken, taken.generation, slot.aborts
                    run.started, run.is_remote = taken.started, False
            if is_finished:
                self._pod.give_up(slot.key, taken)
            return not is_finished
        with self._lock:
            run.claim, run.started, run.is_remote = None, time.monotonic(), False
            return not run.is_finished

    def _wait_for_others(self, slot: Slot, run: Run, claim: Claim | None) -> None:
        with self._lock:
            run.claim, run.is_remote = claim, True
            if claim is not None:
                run.generation = claim.generation
                if not run.bypass_cache:
                    run.started = claim.started
                slot.request(claim.requested)
            self._changes += 1
        self._watcher.wake()

    def _start_round(self, round_: Round) -> None:
        name = f"healthguard-{'.'.join(round_.runs[0][0].service.path)}"
        try:
            threading.Thread(target=self._work, args=(round_,), name=name, daemon=True).start()
        except BaseException as error:
            # The process may have no more threads. The next probe tries again when this outcome is no longer fresh.
            for slot, run in round_.take_waiting():
                self._end(slot, run, run.failure(NO_THREAD), is_shared=False)
            if not isinstance(error, Exception):
                raise
            return
        has_several = len(round_.runs) > 1
        if has_several:
            with self._lock:
                self._rounds.append(round_)
        if has_several or round_.runs[0][1].claim is not None:
            self._watcher.wake()

    def _work(self, round_: Round) -> None:
        """Execute the runs of a round, on this thread."""
        ended: tuple[Slot, Run, Outcome] | None = None
        with round_.connections.on_this_thread():
            while (started := round_.next()) is not None:
                if ended is not None:
                    self._end(*ended)
                    round_.connections.replace_used_up()
                ended = self._executed(round_, *started)
        if ended is None:
            return
        self._end(*ended)
        slot, run, _ = ended
        if slot.run is run:
            run.resources.wait_until_done()
            with self._lock:
                following = self._release(slot)
            if following is not None:
                self._start([(slot, following)])

    def _executed(self, round_: Round, slot: Slot, run: Run) -> tuple[Slot, Run, Outcome] | None:
        """Execute a run, and return its outcome; None if another process has taken it over before."""
        try:
            was_stopped = run.claim and not self._pod.is_held(slot.key, run.claim, slot.service.timeout)
            if was_stopped and not self._is_own(slot, run):
                return None
            run.started = time.monotonic()
            with deadline_after(slot.service.timeout):
                outcome = run.execute()
        except BaseException:
            # execute() catches whatever a check raises. Nothing may reach the thread's excepthook, which prints the
            # text of the exception.
            outcome = run.failure(RUN_CRASHED)
        if run.is_aborted or not run.resources.is_done:
            # A background task that a check has left behind delays no other service.
            self._hand_over(round_)
        with self._lock:
            return slot, run, self._schedule.aligned(slot, outcome)

    def _hand_over(self, round_: Round) -> None:
        """Let other threads execute the runs that wait for the current one of their round."""
        for new in round_.handed_over():
            for _, run in new.runs:
                run.started = time.monotonic()
            self._start_round(new)

    def _end(self, slot: Slot, run: Run, outcome: Outcome, *, is_shared: bool = True) -> None:
        with self._lock:
            if run.is_finished:
                return
            run.is_finished = True
        is_stored = is_shared and self._publish(slot, run, outcome)
        if not is_shared and slot.key is not None and run.claim is not None:
            self._pod.give_up(slot.key, run.claim)
        with self._lock:
            slot.adopt(outcome, is_local=not is_stored)
            # Background tasks that a check has left behind delay the next run, which might get stuck beside them.
            following = self._release(slot) if slot.run is run and run.resources.is_done else None
            self._change_log.add(slot.changes(time.monotonic()))
            self._changes += 1
        run.done.set_result(None)
        if following is not None:
            self._start([(slot, following)])
        self._change_log.write(is_inline=run.is_inline)
        self._watcher.look_again()

    def _end_overdue(self, slot: Slot) -> None:
        """Store the timeout of a run of this process if it has expired, and abort its database operations."""
        with self._lock:
            now = time.monotonic()
            run = slot.run
            if run is None or run.is_remote:
                return
            is_late = now >= run.ends and not run.is_late and not run.is_finished
            run.is_late = run.is_late or is_late
            is_to_abort = now >= run.abort_from and not run.is_aborted
            run.is_aborted = run.is_aborted or is_to_abort
        if is_late:
            outcome = run.late_outcome()
            self._adopt(slot, outcome, is_local=not self._publish(slot, run, outcome))
        if is_to_abort:
            run.abort()

    def _publish(self, slot: Slot, run: Run, outcome: Outcome) -> bool:
        """Return True if an outcome is stored, so that no other run gets its number."""
        if slot.key is None or run.claim is None:
            return False
        # If this process was stopped, another one may have ended a newer run meanwhile.
        self._sync()
        return self._pod.publish(slot.key, outcome)

    def _adopt(self, slot: Slot, outcome: Outcome, *, is_local: bool = False) -> None:
        """Use an outcome, and end the run of another process that it is the outcome of."""
        with self._lock:
            if slot.adopt(outcome, is_local=is_local):
                self._change_log.add(slot.changes(time.monotonic()))
            self._changes += 1
            run = slot.run
        self._change_log.write()
        if run is not None and run.is_remote:
            self._end_answered(slot, run)

    def _end_answered(self, slot: Slot, run: Run) -> bool:
        """End a run that this process does not execute if the newest outcome answers it; return True if it does."""
        with self._lock:
            if slot.outcome is None or run.is_finished or not run.is_answered_by(slot.outcome):
                return run.is_finished
            run.is_finished = True
            following = self._release(slot) if slot.run is run else None
        run.done.set_result(None)
        if following is not None:
            self._start([(slot, following)])
        return True

    def _release(self, slot: Slot) -> Run | None:
        """Remove the run of a slot, and return the one that was requested meanwhile. The caller must start it."""
        slot.run, slot.next = slot.next, None
        self._changes += 1
        if slot.run is not None:
            # Reports use it from now on, shortly before its thread is started.
            slot.run.started, slot.run.aborts = time.monotonic(), slot.aborts
        return slot.run

    def _sync(self) -> None:
        """Use the outcomes that other processes of the pod have stored since the last call."""
        if self._pod.mark == self._mark:
            return
        with self._sync_lock:
            mark = self._pod.mark
            if mark == self._mark:
                return
            with self._lock:
                known = {key: slot.position for key, slot in self._shared.items()}
            if (outcomes := self._pod.outcomes(known, self._mark)) is None:
                return  # The mark stays unknown, so they are read later.
            for key, outcome in outcomes:
                self._adopt(self._shared[key], outcome)
            with self._lock:
                self._mark = mark
                self._changes += 1

    def _watch(self) -> float | None:
        """Check everything that is in flight. Return the time until the next check (seconds), if one is needed."""
        self._sync()
        moments: list[float] = []
        with self._lock:
            self._rounds = [round_ for round_ in self._rounds if round_.has_waiting]
            rounds = list(self._rounds)
        for round_ in rounds:
            if time.monotonic() >= round_.hand_over_from:
                self._hand_over(round_)
            else:
                moments.append(round_.hand_over_from)
        due: list[StartedRun] = []
        for slot in self._shared.values():
            self._end_overdue(slot)
            run = slot.run
            if run is None:
                continue
            if run.is_remote:
                if not self._pod.is_held(slot.key, run.claim, slot.service.timeout):
                    due.append((slot, run))
                moments.append(time.monotonic() + _POLL_SECONDS)
            else:
                moments += run.overdue_moments()
        # Together, so that they share a round.
        self._start(due)
        return max(0.0, min(moments) - time.monotonic()) if moments else None
