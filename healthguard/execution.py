"""One check: it is run, and whatever it returns or raises becomes its result."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import inspect
import json
import re
import traceback
from collections.abc import Awaitable, Mapping
from typing import TypeVar

from asgiref.sync import SyncToAsync, ThreadSensitiveContext, async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseError
from django.utils.connection import ConnectionDoesNotExist
from health_check.base import HealthCheck
from health_check.exceptions import HealthCheckException, ServiceWarning

from healthguard.databases import problem_of
from healthguard.deadline import REPORTING_SHARE
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.own_connections import OwnConnections
from healthguard.redaction import redact
from healthguard.service import CheckSource
from healthguard.status import NO_EVIDENCE, CheckResult, Evidence, Fault, Problem, Status, escaped_evidence
from healthguard.threads import DaemonExecutor, call_where_no_loop_runs

T = TypeVar("T")

# What Django raises where no database is configured under an alias.
_WITHOUT_DATABASE = (ImproperlyConfigured, ConnectionDoesNotExist)

# How many calls an async check may have in the default executor of its loop at a time.
_LOOP_THREADS = 8


class Surroundings:
    """What the checks of one run run in: database connections and executors that are its own.

    Args:
        seconds: how long the run may take.
    """

    def __init__(self, seconds: float) -> None:
        self.connections = OwnConnections(seconds * (1 - REPORTING_SHARE))
        self._executors: list[DaemonExecutor] = []

    def executor(self, max_workers: int) -> DaemonExecutor:
        """An executor whose threads have the run's database connections."""
        executor = DaemonExecutor(max_workers, self.connections.on_this_thread)
        self._executors.append(executor)
        return executor

    @property
    def is_done(self) -> bool:
        """Whether nothing is left in the executors."""
        return all(executor.is_done for executor in self._executors)

    def wait_until_done(self) -> None:
        """Wait for what the checks have left behind in the executors when they were told to end."""
        for executor in self._executors:
            executor.wait_until_done()


def result_of(source: CheckSource, limit: float, surroundings: Surroundings | None = None) -> CheckResult:
    """The result of one check. Whatever it raises, wherever it raises it, becomes a problem of its own.

    Args:
        source: the check.
        limit: how long it may take (seconds).
        surroundings: those of its run; None for one inline, on the caller's thread and its database connections.
    """
    try:
        try:
            return _passed(source, _call(source.make(), limit, surroundings))
        except BaseException as error:
            try:
                return _failed(source, error)
            finally:
                _let_go(error)
    except BaseException:
        # Telling the error failed too: it was one like MemoryError, or an exception whose attributes raise.
        return CheckResult(source.name, Status.UNHEALTHY, _UNTELLABLE)


def _let_go(error: BaseException) -> None:
    """Free what the frames of an exception hold now, and not when the garbage is collected.

    psycopg leaves a connection that it has given up open for as long: while a database is silent they would grow.
    """
    seen: list[BaseException] = []
    chain: list[BaseException | None] = [error]
    while chain:
        if (link := chain.pop()) is not None and not any(link is known for known in seen):
            seen.append(link)
            traceback.clear_frames(link.__traceback__)
            chain += [link.__cause__, link.__context__]


def _call(check: HealthCheck, limit: float, surroundings: Surroundings | None) -> object:
    told: object = check.run()
    if not inspect.isawaitable(told):
        return told
    if surroundings is not None:
        return _await(told, limit, surroundings)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        # Django's own way runs what is synchronous inside on this thread, on the test's connections.
        return async_to_sync(_awaited)(told)
    # A synchronous client inside an asynchronous test: this thread has a loop already.
    return DaemonExecutor(1, contextlib.nullcontext).submit(_await, told, limit, Surroundings(limit)).result()


async def _awaited(told: Awaitable[object]) -> object:
    return await told


def _await(told: Awaitable[object], limit: float, surroundings: Surroundings) -> object:
    """Wait for ``told`` in an event loop of its own, with executors of its own, all of them daemons."""

    async def bounded() -> tuple[object, BaseException | None]:
        # Made on this thread: under gevent what they wait with belongs to the thread that makes it.
        default, sensitive = surroundings.executor(_LOOP_THREADS), surroundings.executor(1)
        asyncio.get_running_loop().set_default_executor(default)
        try:
            async with ThreadSensitiveContext() as context:
                SyncToAsync.context_to_thread_executor[context] = sensitive
                # A little more than what is left, so that it is over time when it is cancelled.
                return await asyncio.wait_for(_caught(told), limit + 0.01)
        finally:
            default.shutdown()
            sensitive.shutdown()

    def run() -> tuple[object, BaseException | None]:
        with asyncio.Runner() as runner:
            return runner.run(bounded())

    value, error = call_where_no_loop_runs(run)
    if error is not None:
        raise error
    return value


async def _caught(told: Awaitable[object]) -> tuple[object, BaseException | None]:
    """What ``told`` gives, and what it raises: of a task that raises, asyncio may log the text."""
    try:
        return await told, None
    except BaseException as error:
        return None, error


def _passed(source: CheckSource, told: object) -> CheckResult:
    if told is False:
        return CheckResult(source.name, Status.UNHEALTHY, _RETURNED_FALSE)
    if inspect.isgenerator(told) or inspect.isasyncgen(told):
        return CheckResult(source.name, Status.UNHEALTHY, _GENERATOR)
    evidence = escaped_evidence(_plain(told)) if isinstance(told, Mapping) else NO_EVIDENCE
    return CheckResult(source.name, Status.HEALTHY, evidence=evidence)


def _plain(evidence: Mapping[str, Evidence]) -> Mapping[str, Evidence]:
    """``evidence`` as it can be written in every format; in its place, that it cannot be."""
    if not evidence:
        return NO_EVIDENCE
    try:
        plain: dict[str, Evidence] = json.loads(json.dumps(evidence, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return {"evidence": "(not shown: it is not plain JSON)"}
    return plain


def _failed(source: CheckSource, error: BaseException) -> CheckResult:
    status, problem = _status_and_problem(source, error)
    return CheckResult(source.name, status, dataclasses.replace(problem, evidence=_plain(problem.evidence)).escaped())


def _status_and_problem(source: CheckSource, error: BaseException) -> tuple[Status, Problem]:
    if isinstance(error, Unhealthy):
        return Status.UNHEALTHY, error.problem
    if isinstance(error, Degraded):
        return Status.DEGRADED, error.problem
    if isinstance(error, HealthCheckException):
        status = Status.DEGRADED if isinstance(error, ServiceWarning) else Status.UNHEALTHY
        return status, _told_by_stranger(source, error)
    if isinstance(error, DatabaseError):
        return Status.UNHEALTHY, problem_of(error, source.alias)
    if source.database is not None and isinstance(error, _WITHOUT_DATABASE):
        return Status.UNHEALTHY, problem_of(error, source.database)
    return Status.UNHEALTHY, _unexpected(source, error)


def _told_by_stranger(source: CheckSource, error: HealthCheckException) -> Problem:
    """The problem in an exception of a check written for django-health-check."""
    cause = error.__cause__
    if isinstance(cause, DatabaseError) or (source.database is not None and isinstance(cause, _WITHOUT_DATABASE)):
        return problem_of(cause, source.alias)
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
