"""One run: one execution of a service's checks, in order, on one thread."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import datetime
import time

from healthguard.runner.execution import RunResources, result_of
from healthguard.runner.problems import not_run_after_outage, not_run_on_unusable_database, timed_out
from healthguard.runtime.cache_age import TTL_JITTER, max_cache_age
from healthguard.service import ServiceNode
from healthguard.status import CheckResult

_IMMEDIATE_ABORTS = 2
"""The number of aborted runs in a row after which the next abort is delayed longer each time."""
_MAX_ABORT_DELAY = 60.0
"""The longest delay of an abort, unless the service's timeout is longer (seconds)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """The results of a finished run.

    Args:
        results: one result per check.
        finished: when the run ended (``time.monotonic()`` seconds).
        checked_at: when it ended (UTC wall clock).
        duration: how long it took (seconds).
    """

    results: tuple[CheckResult, ...]
    finished: float
    checked_at: datetime.datetime
    duration: float

    @classmethod
    def now(cls, results: tuple[CheckResult, ...], started: float) -> Outcome:
        """Return the outcome of a run that ends now; ``started`` is in ``time.monotonic()`` seconds."""
        finished = time.monotonic()
        return cls(results, finished, datetime.datetime.now(datetime.UTC), finished - started)


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
        return Outcome.now(tuple(results), self.started)

    def results_so_far(self) -> tuple[CheckResult, ...]:
        """Return the results of a run whose timeout has expired: its current check is the one that hangs."""
        results = list(self.results)
        waiting = self.service.sources[len(results) :]
        if waiting:
            results.append(timed_out(waiting[0], self.service.timeout))
            results += [not_run_after_outage(source, waiting[0].name) for source in waiting[1:]]
        return tuple(results)

    def abort(self) -> None:
        """Abort its pending database operations. Nothing else can be aborted from outside."""
        self.resources.connections.abort(lambda: self.is_finished and self.resources.is_done)
