"""Which results decide which probe. The one doorway through which everything gets its report."""

from __future__ import annotations

import asyncio
import concurrent.futures
import enum
import os
import sys
import threading
import time
from collections.abc import Mapping, MutableMapping

from asgiref.sync import sync_to_async
from django.core.signals import setting_changed

from healthguard import log
from healthguard.conf import OWN_SERVICE, global_problem, settings
from healthguard.identity import parent_server, server_identity
from healthguard.latch import Latch
from healthguard.runner import Run, Runner
from healthguard.service import ServiceNode, Tree
from healthguard.status import CheckResult, GroupReport, Problem, Report, ServiceReport, Status

FRESH_SECONDS = 10.0
"""The longest time that a request for fresh results waits (seconds): shorter than a server lets a worker be busy."""
_GRAIN = 0.02
"""How exactly runs are told apart that are waited for for different times (seconds)."""


class Probe(enum.StrEnum):
    """A question put to a report."""

    HEALTH = "health"
    """How is everything?"""
    LIVE = "live"
    """Does the process answer?"""
    STARTUP = "startup"
    """Has the pod been ready once?"""
    READY = "ready"
    """May traffic come?"""


class Guard:
    """What one process knows of one declaration: its services, their outcomes, and whether the pod was ready.

    Args:
        is_shared: whether the startup latch is shared with the other workers of this server.
    """

    def __init__(self, *, is_shared: bool = False) -> None:
        self.tree = settings.tree()
        self.runner = Runner(self.tree.services())
        self.latch = Latch(_shared_name(self.tree), parent_server()) if is_shared else Latch(None)
        self.is_inline = settings.inline
        self.problem = global_problem()
        self.answers: MutableMapping[tuple[str, str], object] = {}
        """A place for answers made ready; see :mod:`healthguard.respond`."""
        self._log_lock = threading.Lock()
        self._logged: Problem | None = None
        self._logged_draining = False

    def log_problem(self, problem: Problem | None) -> None:
        """Log that what makes every answer red has begun or ended, once for each change."""
        with self._log_lock:
            if problem == self._logged:
                return
            self._logged = problem
        if problem is None:
            log.write(log.INFO, "%s: unhealthy -> healthy", OWN_SERVICE)
        else:
            reason = f"{problem.message} {problem.hint} [{problem.code}, {problem.fault}]"
            log.write(log.ERROR, "%s: unhealthy: %s", OWN_SERVICE, reason)

    def log_draining(self, is_draining: bool) -> None:
        """Log that draining has begun or ended, once for each change."""
        with self._log_lock:
            if is_draining == self._logged_draining:
                return
            self._logged_draining = is_draining
        if is_draining:
            log.write(log.INFO, "The pod is draining: DRAIN_FILE exists, and the ready probe answers 503.")
        else:
            log.write(log.INFO, "The pod is no longer draining.")


def _shared_name(tree: Tree) -> str | None:
    """Return the name of the latch that this server's workers share; None if it cannot be found out."""
    try:
        # The default services depend on what has been added to DATABASES in the meantime.
        return server_identity(tree if "SERVICES" in settings.declared else Tree({}))
    except Exception as error:
        log.once(
            log.WARNING,
            "The workers of this server cannot share that the pod is ready (%s): each becomes ready by itself.",
            type(error).__name__,
        )
        return None


_guard: Guard | None = None
_was_changed = False
_lock = threading.Lock()


def guard() -> Guard:
    """This process's guard; a new one in a forked child, and when a setting was overridden."""
    global _guard
    current = _guard
    if current is None:
        with _lock:
            current = _guard
            if current is None:
                current = _guard = Guard(is_shared=not (_was_changed or settings.inline))
    # A test's declaration, environment and database are its own: inline, nothing is kept from probe to probe.
    return Guard() if current.is_inline else current


def _forget(**kwargs: object) -> None:
    """Start anew: the settings that the guard was made from have changed, as they do in tests."""
    global _guard, _was_changed
    _guard, _was_changed = None, True


def _forget_after_fork() -> None:
    global _guard, _lock
    # The lock too: another thread of the parent may have held it.
    _guard, _lock = None, threading.Lock()


setting_changed.connect(_forget)
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_after_fork)


class UnknownServiceError(Exception):
    """Nothing is declared at the path that was asked for."""


class Question:
    """A probe that has been asked: what it waits for, and what it then tells.

    Args:
        probe: which one.
        path: the service or group it is about; everything by default.
        asked: the guard to ask; this process's own by default.
        fresh: whether to run now what is asked for, however fresh the last outcome is.
        broken: what is wrong outside all services, so that no answer can be green.

    Raises:
        UnknownServiceError: nothing is declared at ``path``.
    """

    def __init__(
        self,
        probe: Probe,
        path: tuple[str, ...] = (),
        *,
        asked: Guard | None = None,
        fresh: bool = False,
        broken: Problem | None = None,
    ) -> None:
        self._guard = asked or guard()
        self._probe = probe
        self._path = path
        problem = broken or self._guard.problem
        self._guard.log_problem(problem)
        self._is_about_own_service = problem is not None and path == (OWN_SERVICE,)
        found = Tree({}) if self._is_about_own_service else self._guard.tree.at(path)
        if found is None:
            raise UnknownServiceError(path)
        self._node = found
        self.is_past_startup = self._guard.latch.is_set
        """Whether the pod had been ready when this was asked: all of one answer goes by the same."""
        # A pod whose URLconf is broken can serve nothing, whatever it could once.
        own = broken or (self._guard.problem if self._gates_startup() else None)
        self._problem = None if path or (probe is Probe.STARTUP and self.is_past_startup) else own
        if self._is_about_own_service:
            self._problem = problem
        services = list(found.services()) if isinstance(found, Tree) else [found]
        self._paths = [service.path for service in services]
        self._deciding = {service.path for service in services if self._decides(service)}
        self._runs: list[Run] = []
        self._since = time.monotonic() if fresh else None
        if not self._guard.is_inline:
            self._runs = self._guard.runner.start_due(self._paths, settings.deadline, fresh=fresh)

    def _decides(self, service: ServiceNode) -> bool:
        if self._probe is Probe.HEALTH:
            return True
        if self._gates_startup():
            return service.ready != "never"
        return self._probe is Probe.READY and service.ready == "always"

    def _gates_startup(self) -> bool:
        """Whether what only has to hold once, before the pod is ready, counts now."""
        return self._probe is Probe.HEALTH or not self.is_past_startup

    def wait(self) -> None:
        """Wait for what decides, on the calling thread, until the deadline."""
        if self._guard.is_inline:
            self._guard.runner.run_inline(self._paths)
            return
        while runs := self._to_wait_for():
            concurrent.futures.wait([run.done for run in runs], timeout=self._seconds(runs))

    async def wait_async(self) -> None:
        """The same without blocking the event loop."""
        if self._guard.is_inline:
            await sync_to_async(self._guard.runner.run_inline)(self._paths)
            return
        while runs := self._to_wait_for():
            futures = [asyncio.wrap_future(run.done) for run in runs]
            try:
                await asyncio.wait(futures, timeout=self._seconds(runs))
            finally:
                for future in futures:
                    # Lets go of the loop, which may be gone when the run ends. The run itself cannot be cancelled.
                    future.cancel()

    def _to_wait_for(self) -> list[Run]:
        """The runs worth waiting for: none longer than its patience lasts from its start.

        So one that hangs costs the first probe its deadline, and not every probe.
        """
        now = time.monotonic()
        return [
            run
            for run in self._runs
            if run.service.path in self._deciding and self._awaited_until(run) > now and not run.done.done()
        ]

    def _awaited_until(self, run: Run) -> float:
        """Return how long to wait for a run: somebody who asks for a fresh result wants it more than a quick answer."""
        if self._since is None:
            return run.awaited_until
        return max(run.awaited_until, min(run.ends, self._since + FRESH_SECONDS))

    def _seconds(self, runs: list[Run]) -> float:
        """Return how long to wait for ``runs`` before looking which of them are still worth it (seconds)."""
        return max(_GRAIN, min(map(self._awaited_until, runs)) - time.monotonic())

    def report(self) -> Report:
        """What is known now."""
        snapshot = self._guard.runner.look(self._paths, self._since)
        reports = {path: report for path, report in snapshot.reports.items() if path in self._deciding}
        root = _assembled(self._node, reports)
        if self._problem is not None:
            own = _own_report(self._problem)
            root = own if self._is_about_own_service else GroupReport({**_members(root), OWN_SERVICE: own})
        draining = self._probe is Probe.READY and is_draining()
        if self._probe is Probe.READY:
            self._guard.log_draining(draining)
        report = Report(root, self._path, snapshot.fresh_until, snapshot.version, snapshot.taken, draining)
        if self._probe is not Probe.HEALTH and not self.is_past_startup and report.status.is_serving:
            self._guard.latch.set()
            log.write(log.INFO, "The pod is ready.")
        return report


def warm_up() -> None:
    """Run everything once and wait for it, at most for the longest timeout of a service.

    For a server's hook that runs in a new worker before it takes requests, like gunicorn's ``post_worker_init``: the
    first probe that the worker gets is then not told that nothing is known yet.
    """
    current = guard()
    paths = [service.path for service in current.tree.services()]
    runs = current.runner.start_due(paths, settings.deadline)
    if runs:
        concurrent.futures.wait([run.done for run in runs], max(run.service.timeout for run in runs))


def is_draining() -> bool:
    """Whether the pod has been told to leave: the drain file exists.

    If the file cannot be checked, assume that the pod is not draining: all pods would have the same trouble.
    """
    path = settings.drain_file
    if path is None:
        return False
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        # ValueError: what no file can be called.
        return False
    except OSError as error:
        log.once(
            log.WARNING, "DRAIN_FILE cannot be checked (%s): the pod counts as not draining.", type(error).__name__
        )
        return False
    return True


def _members(root: GroupReport | ServiceReport) -> Mapping[str, ServiceReport | GroupReport]:
    return root.members if isinstance(root, GroupReport) else {}


def _assembled(
    node: ServiceNode | Tree, reports: Mapping[tuple[str, ...], ServiceReport]
) -> GroupReport | ServiceReport:
    """The reports in the shape of the declaration; groups of which nothing is asked are left out."""
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
