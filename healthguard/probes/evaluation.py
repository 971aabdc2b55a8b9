"""The evaluation of a probe: the runs that it waits for, and the report that it returns."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Mapping

from asgiref.sync import sync_to_async

from healthguard.conf import OWN_SERVICE, settings
from healthguard.probes.draining import is_draining
from healthguard.probes.probe import Probe
from healthguard.probes.state import HealthState, get_state
from healthguard.runner import Run
from healthguard.runtime import log, threads
from healthguard.service import ServiceNode, Tree
from healthguard.status import CheckResult, GroupReport, Problem, Report, ServiceReport, Status

FRESH_SECONDS = 10.0
"""The longest time that a request for fresh results waits (seconds). Servers let a worker be busy for longer."""
_WAIT_STEP = 0.02
"""The shortest time to wait before checking again which runs are worth waiting for (seconds)."""
_PROGRESS_STEP = 0.1
"""The time between two calls of a function that shows the progress (seconds)."""


class UnknownServiceError(Exception):
    """No service or group is declared at the requested path."""


class ProbeEvaluation:
    """One evaluation of a probe.

    Args:
        probe: the probe.
        path: the service or group that it is about; everything by default.
        state: the state to use; this process's own by default.
        fresh: True to run the services now, however fresh their last outcomes are.
        keeps_cache: with ``fresh``, True if checks may use what earlier runs have cached, like verdicts on keys.
        broken: a problem outside all services that makes every answer unhealthy.
        deadline: the longest time to wait (seconds); DEADLINE by default.

    Raises:
        UnknownServiceError: no service or group is declared at ``path``.
    """

    def __init__(
        self,
        probe: Probe,
        path: tuple[str, ...] = (),
        *,
        state: HealthState | None = None,
        fresh: bool = False,
        keeps_cache: bool = False,
        broken: Problem | None = None,
        deadline: float | None = None,
    ) -> None:
        self._state = state or get_state()
        self._probe = probe
        self._path = path
        problem = broken or self._state.problem
        self._state.log_problem(problem)
        self._is_about_own_service = problem is not None and path == (OWN_SERVICE,)
        node = Tree({}) if self._is_about_own_service else self._state.tree.at(path)
        if node is None:
            raise UnknownServiceError(path)
        self._node = node
        self.is_past_startup = self._state.latch.is_set
        """True if the pod had been ready when this evaluation began: one answer uses one value throughout."""
        # A pod whose URLconf is broken cannot serve any request, even if it was ready once.
        global_problem = broken or (self._state.problem if self._gates_startup() else None)
        self._problem = None if path or (probe is Probe.STARTUP and self.is_past_startup) else global_problem
        if self._is_about_own_service:
            self._problem = problem
        services = list(node.services()) if isinstance(node, Tree) else [node]
        self._paths = [service.path for service in services]
        self._deciding = {service.path for service in services if self._decides(service)}
        self._runs: list[Run] = []
        limit = settings.deadline if deadline is None else deadline
        self._wait_limit = time.monotonic() + limit
        self._since = time.monotonic() if fresh else None
        if not self._state.is_inline:
            self._runs = self._state.runner.start_due(self._paths, limit, fresh=fresh, keeps_cache=keeps_cache)

    def _decides(self, service: ServiceNode) -> bool:
        if self._probe is Probe.HEALTH:
            return True
        if self._gates_startup():
            return service.ready != "never"
        return self._probe is Probe.READY and service.ready == "always"

    def _gates_startup(self) -> bool:
        """Return True if services with ``ready="startup"`` count."""
        return self._probe is Probe.HEALTH or not self.is_past_startup

    def wait(self, show_progress: Callable[[list[tuple[str, ...]]], None] | None = None) -> None:
        """Wait on the calling thread for the runs that the answer depends on, until the deadline.

        Args:
            show_progress: a function to call several times a second with the paths of the services still waited for.
        """
        if self._state.is_inline:
            self._state.runner.run_inline(self._paths)
            return
        while runs := self._to_wait_for():
            seconds = self._seconds(runs)
            if show_progress is not None:
                show_progress([run.service.path for run in runs])
                seconds = min(seconds, _PROGRESS_STEP)
            concurrent.futures.wait([run.done for run in runs], timeout=seconds)

    async def wait_async(self) -> None:
        """Wait for the same runs without blocking the event loop."""
        if self._state.is_inline:
            await sync_to_async(self._state.runner.run_inline)(self._paths)
            return
        while runs := self._to_wait_for():
            futures = [asyncio.wrap_future(run.done) for run in runs]
            try:
                await asyncio.wait(futures, timeout=self._seconds(runs))
            finally:
                for future in futures:
                    # Releases the loop, which may be closed when the run ends. The run itself cannot be cancelled.
                    future.cancel()

    def _to_wait_for(self) -> list[Run]:
        """Return the runs to wait for: unfinished, and not past the time for which requests wait for them.

        A run that hangs costs only the first probe its deadline.
        """
        now = time.monotonic()
        return [
            run
            for run in self._runs
            if run.service.path in self._deciding and self._wait_until(run) > now and not run.done.done()
        ]

    def _wait_until(self, run: Run) -> float:
        """Return the time until which to wait for a run (``time.monotonic()`` seconds).

        It is longer for a request for fresh results.
        """
        if self._since is None:
            # A run that another process takes over begins once more.
            return min(run.wait_until, self._wait_limit)
        return max(run.wait_until, min(run.ends, self._since + FRESH_SECONDS))

    def _seconds(self, runs: list[Run]) -> float:
        """Return the time to wait before checking again which runs are worth waiting for (seconds)."""
        return max(_WAIT_STEP, min(map(self._wait_until, runs)) - time.monotonic())

    def report(self) -> Report:
        """Return the current report, and set the startup latch if it shows that the pod is ready."""
        snapshot = self._state.runner.snapshot(self._paths, self._since)
        reports = {path: report for path, report in snapshot.reports.items() if path in self._deciding}
        root = _assembled(self._node, reports)
        if self._problem is not None:
            own_report = _own_report(self._problem)
            root = (
                own_report if self._is_about_own_service else GroupReport({**_members(root), OWN_SERVICE: own_report})
            )
        draining = self._probe is Probe.READY and is_draining()
        if self._probe is Probe.READY:
            self._state.log_draining(draining)
        report = Report(root, self._path, snapshot.fresh_until, snapshot.version, snapshot.taken, draining)
        is_ready = self._probe is not Probe.HEALTH and report.status.is_serving
        if is_ready and not self.is_past_startup and self._state.latch.set():
            log.write(log.INFO, "The pod is ready.")
        return report


def warm_up() -> None:
    """Run the services that are due and wait for them, at most for the longest timeout of a service.

    Call it in a server's hook that runs in a new worker before it accepts requests, like gunicorn's
    ``post_worker_init``. Then the worker's first answer is not ``unknown``. Services of which another worker of the
    server has a fresh result are not run again.

    Nothing is run if checks run inline, because their results are not kept. Errors are logged and not raised, because a
    server ends a worker whose startup fails.
    """
    with _failures_logged():
        if settings.inline:
            return
        current = get_state()
        paths = [service.path for service in current.tree.services()]
        runs = current.runner.start_due(paths, settings.deadline)
        if runs:
            concurrent.futures.wait([run.done for run in runs], max(run.service.timeout for run in runs))


async def warm_up_async() -> None:
    """Run the services that are due and wait for them, at most until the deadline and without blocking the event loop.

    Nothing is run if checks run inline, because their results are not kept. Errors are logged and not raised, because a
    server ends if its startup fails.
    """
    with _failures_logged():
        if settings.inline:
            return
        done: concurrent.futures.Future[None] = concurrent.futures.Future()
        # From here on, cancelling the wait below does not cancel this future.
        done.set_running_or_notify_cancel()
        threads.start(functools.partial(_run_until_deadline, done), "healthguard-warm-up")
        waiting = asyncio.wrap_future(done)
        try:
            await asyncio.wait([waiting], timeout=settings.deadline)
        finally:
            # Releases the loop, as in wait_async().
            waiting.cancel()


def _run_until_deadline(done: concurrent.futures.Future[None]) -> None:
    """Run the services that are due on other threads, wait for them until the deadline, and set ``done``."""
    try:
        # Making the state may call code of the project, such as a database router. So it is not made on the event loop.
        ProbeEvaluation(Probe.HEALTH).wait()
    except BaseException as error:
        # Nothing may reach the thread's excepthook, which prints the text of the exception.
        _log_failed_warm_up(error)
    finally:
        done.set_result(None)


@contextlib.contextmanager
def _failures_logged() -> Iterator[None]:
    """Log an error of a warm-up instead of raising it. Ctrl-C and a cancellation still end the startup."""
    try:
        yield
    except (Exception, SystemExit) as error:
        _log_failed_warm_up(error)


def _log_failed_warm_up(error: BaseException) -> None:
    log.once(log.ERROR, "The services were not run at startup, because healthguard raised %s.", type(error).__name__)


def _members(root: GroupReport | ServiceReport) -> Mapping[str, ServiceReport | GroupReport]:
    return root.members if isinstance(root, GroupReport) else {}


def _assembled(
    node: ServiceNode | Tree, reports: Mapping[tuple[str, ...], ServiceReport]
) -> GroupReport | ServiceReport:
    """Return the reports in the shape of the declaration, without the groups that have none."""
    if isinstance(node, ServiceNode):
        return reports[node.path]
    members: dict[str, GroupReport | ServiceReport] = {}
    for name, member in node.members.items():
        if isinstance(member, Tree):
            group = _assembled(member, reports)
            if _members(group):
                members[name] = group
        elif member.path in reports:
            members[name] = reports[member.path]
    return GroupReport(members)


def _own_report(problem: Problem) -> ServiceReport:
    result = CheckResult("Declaration", Status.UNHEALTHY, problem)
    return ServiceReport((OWN_SERVICE,), Status.UNHEALTHY, Status.UNHEALTHY, (result,))
