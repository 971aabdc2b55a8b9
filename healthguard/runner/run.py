"""One run: one execution of a service's checks, in order, on one thread of one process of the pod."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import datetime
import time

from healthguard.runner.execution import RunResources, result_of
from healthguard.runner.outcome import Outcome
from healthguard.runner.pod.records import Claim
from healthguard.runner.problems import all_unhealthy, not_run_after_outage, not_run_on_unusable_database, timed_out
from healthguard.runtime.cache_age import TTL_JITTER, max_cache_age
from healthguard.service import ServiceNode
from healthguard.status import CheckResult, Problem

_IMMEDIATE_ABORTS = 2
"""The number of aborted runs in a row after which the next abort is delayed longer each time."""
_MAX_ABORT_DELAY = 60.0
"""The longest delay of an abort, unless the service's timeout is longer (seconds)."""


class Run:
    """One run of a service, in flight or finished.

    Args:
        service: the service to run.
        max_wait: how long a request waits for it (seconds from its start).
        aborts: how many runs before it, in a row, were aborted.
        bypass_cache: True if fresh results were requested: then no check uses what an earlier run has cached.
        is_inline: True if it runs on its caller's thread, and on that thread's database connections.
    """

    def __init__(
        self,
        service: ServiceNode,
        max_wait: float = 0.0,
        aborts: int = 0,
        *,
        bypass_cache: bool = False,
        is_inline: bool = False,
    ) -> None:
        self.service = service
        self.max_wait = min(max_wait, service.timeout)
        self.aborts = aborts
        self.is_aborted = False
        self.is_finished = False
        """True as soon as its outcome is stored. :attr:`done`, which requests wait for, is set right afterwards."""
        self.bypass_cache = bypass_cache
        self.is_inline = is_inline
        self.resources = RunResources(service.timeout)
        self.generation = 0
        """Its number among the runs of the service in the pod. It is set when it is known who executes it."""
        self.claim: Claim | None = None
        """The claim of the process of the pod that executes it; None if the service is not shared."""
        self.is_remote = False
        """True if another process of the pod executes it, or may do so."""
        self.created = time.monotonic()
        self.is_late = False
        """True if an outcome without its end is stored, because its timeout has expired."""
        self.started = time.monotonic()
        self.done: concurrent.futures.Future[None] = concurrent.futures.Future()
        # Nobody can cancel it from here on, not even a waiting request whose client has disconnected.
        self.done.set_running_or_notify_cancel()
        self.results: list[CheckResult] = []

    @property
    def ends(self) -> float:
        """The moment at which its timeout expires (``time.monotonic()`` seconds)."""
        return self.started + self.service.timeout

    @property
    def abort_from(self) -> float:
        """The moment from which its database operations are aborted (``time.monotonic()`` seconds).

        Each abort may leave a connection behind that is still open on the server. After some aborts in a row they are
        delayed longer each time, up to a limit, so that a recovery is still noticed.
        """
        timeout = self.service.timeout
        return self.started + max(
            timeout, min(timeout * 2.0 ** max(0, self.aborts - _IMMEDIATE_ABORTS), _MAX_ABORT_DELAY)
        )

    @property
    def wait_until(self) -> float:
        """The moment from which no request waits for it (``time.monotonic()`` seconds)."""
        return self.started + self.max_wait

    def overdue_moments(self) -> list[float]:
        """Return the moments to come at which its timeout expires, or its operations must be aborted."""
        moments = [] if self.is_late or self.is_finished else [self.ends]
        return moments if self.is_aborted else [*moments, self.abort_from]

    def is_answered_by(self, outcome: Outcome) -> bool:
        """Return True if the outcome of another process answers the requests that wait for this run."""
        if not outcome.is_final:
            return False
        if self.bypass_cache:
            return outcome.bypassed_cache and outcome.started >= self.created
        # The claim of the run may not be known yet: then the outcome must be fresh.
        if self.generation:
            return outcome.generation >= self.generation
        return outcome.fresh_until > time.monotonic()

    def execute(self) -> Outcome:
        """Run the checks, in order, on this thread."""
        results = self.results
        blocked_by: str | None = None
        unusable: dict[str, CheckResult] = {}
        for source in self.service.sources:
            if blocked_by is not None:
                results.append(not_run_after_outage(source, blocked_by))
                continue
            if source.database in unusable:
                results.append(not_run_on_unusable_database(source, unusable[source.database]))
                continue
            limit = max(0.0, self.ends - time.monotonic())
            with max_cache_age(0.0 if self.bypass_cache else self.service.ttl * (1 - TTL_JITTER)):
                result = result_of(source, limit, None if self.is_inline else self.resources)
            if time.monotonic() >= self.ends:
                result = timed_out(source, self.service.timeout)
            results.append(result)
            if result.is_blocking:
                blocked_by = source.name
            elif result.unusable_database is not None:
                unusable.setdefault(result.unusable_database, result)
        return self.outcome(tuple(results))

    def outcome(self, results: tuple[CheckResult, ...]) -> Outcome:
        """Return the outcome of this run, which ends now."""
        was_aborted = self.resources.connections.was_aborted
        finished = time.monotonic()
        return Outcome(
            self.generation,
            results,
            self.started,
            finished,
            datetime.datetime.now(datetime.UTC),
            fresh_until=finished + self.service.ttl,
            bypassed_cache=self.bypass_cache,
            aborts=self.aborts + 1 if was_aborted else 0,
        )

    def failure(self, problem: Problem) -> Outcome:
        """Return the outcome of this run if it could not be executed."""
        return self.outcome(all_unhealthy(self.service, problem))

    def late_outcome(self) -> Outcome:
        """Return the outcome of this run, whose timeout has expired: its current check is the one that hangs."""
        results = list(self.results)
        waiting = self.service.sources[len(results) :]
        if waiting:
            results.append(timed_out(waiting[0], self.service.timeout))
            results += [not_run_after_outage(source, waiting[0].name) for source in waiting[1:]]
        return dataclasses.replace(self.outcome(tuple(results)), is_final=False, aborts=self.aborts + 1)

    def abort(self) -> None:
        """Abort its pending database operations. Nothing else can be aborted from outside."""
        self.resources.connections.abort(lambda: self.is_finished and self.resources.is_done)
