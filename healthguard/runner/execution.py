"""The execution of one check: the value that it returns, or the exception that it raises, becomes its result."""

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

from healthguard.database.queries import problem_of
from healthguard.database.run_connections import RunConnections
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.runner.redaction import redact
from healthguard.runtime.deadline import REPORTING_SHARE
from healthguard.runtime.threads import DaemonExecutor, call_where_no_loop_runs
from healthguard.service import CheckSource
from healthguard.status import NO_EVIDENCE, CheckResult, Code, Evidence, Fault, Problem, Status, escaped_evidence

T = TypeVar("T")

_NO_DATABASE_ERRORS = (ImproperlyConfigured, ConnectionDoesNotExist)
"""The exceptions that Django raises if no database is configured under an alias."""

_LOOP_THREADS = 8
"""The number of calls that an async check may run at once in the default executor of its loop."""


class RunResources:
    """The resources of one run: its own database connections and executors.

    Args:
        seconds: the longest time that the run may take.
    """

    def __init__(self, seconds: float) -> None:
        self.connections = RunConnections(seconds * (1 - REPORTING_SHARE))
        self._executors: list[DaemonExecutor] = []

    def executor(self, max_workers: int) -> DaemonExecutor:
        """Return a new executor whose threads use the run's database connections."""
        executor = DaemonExecutor(max_workers, self.connections.on_this_thread)
        self._executors.append(executor)
        return executor

    @property
    def is_done(self) -> bool:
        """True if all calls in the executors have ended."""
        return all(executor.is_done for executor in self._executors)

    def wait_until_done(self) -> None:
        """Wait for the background tasks that the checks have left behind in the executors."""
        for executor in self._executors:
            executor.wait_until_done()


def result_of(source: CheckSource, limit: float, resources: RunResources | None = None) -> CheckResult:
    """Return the result of one check. Any exception, from its constructor or its run, becomes its problem.

    Args:
        source: the check.
        limit: the longest time that it may take (seconds).
        resources: the resources of its run; None for an inline run, on the caller's thread and database connections.
    """
    try:
        try:
            return _passed(source, _call(source.make(), limit, resources))
        except BaseException as error:
            try:
                return _failed(source, error)
            finally:
                _clear_frames(error)
    except BaseException:
        # Reading the error failed too. It was an error like MemoryError, or an exception whose attributes raise.
        return CheckResult(source.name, Status.UNHEALTHY, _UNREADABLE_EXCEPTION)


def _clear_frames(error: BaseException) -> None:
    """Release the objects in the frames of an exception now, and not at the next garbage collection.

    They include connections that psycopg has abandoned without closing them. While a database does not respond, each
    run would add some.
    """
    seen: list[BaseException] = []
    chain: list[BaseException | None] = [error]
    while chain:
        if (link := chain.pop()) is not None and not any(link is other for other in seen):
            seen.append(link)
            traceback.clear_frames(link.__traceback__)
            chain += [link.__cause__, link.__context__]


def _call(check: HealthCheck, limit: float, resources: RunResources | None) -> object:
    returned: object = check.run()
    if not inspect.isawaitable(returned):
        return returned
    if resources is not None:
        return _await(returned, limit, resources)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        # async_to_sync runs the synchronous parts on this thread, on the connections of the test.
        return async_to_sync(_awaited)(returned)
    # A synchronous client inside an asynchronous test: this thread already has a running loop.
    return DaemonExecutor(1, contextlib.nullcontext).submit(_await, returned, limit, RunResources(limit)).result()


async def _awaited(returned: Awaitable[object]) -> object:
    return await returned


def _await(returned: Awaitable[object], limit: float, resources: RunResources) -> object:
    """Wait for ``returned`` in a new event loop with new executors. All their threads are daemons."""

    async def bounded() -> tuple[object, BaseException | None]:
        # Created on this thread, because under gevent their locks belong to the thread that creates them.
        default, sensitive = resources.executor(_LOOP_THREADS), resources.executor(1)
        asyncio.get_running_loop().set_default_executor(default)
        try:
            async with ThreadSensitiveContext() as context:
                SyncToAsync.context_to_thread_executor[context] = sensitive
                # Slightly longer than the limit, so that the run is past its timeout when the check is cancelled.
                return await asyncio.wait_for(_caught(returned), limit + 0.01)
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


async def _caught(returned: Awaitable[object]) -> tuple[object, BaseException | None]:
    """Return the result of ``returned``, and the exception that it raised.

    The exception must not leave the task, because asyncio may log its text.
    """
    try:
        return await returned, None
    except BaseException as error:
        return None, error


def _passed(source: CheckSource, returned: object) -> CheckResult:
    if returned is False:
        return CheckResult(source.name, Status.UNHEALTHY, _RETURNED_FALSE)
    if inspect.isgenerator(returned) or inspect.isasyncgen(returned):
        return CheckResult(source.name, Status.UNHEALTHY, _GENERATOR)
    evidence = escaped_evidence(_plain(returned)) if isinstance(returned, Mapping) else NO_EVIDENCE
    return CheckResult(source.name, Status.HEALTHY, evidence=evidence)


def _plain(evidence: Mapping[str, Evidence]) -> Mapping[str, Evidence]:
    """Return ``evidence`` as plain JSON values, which every format can write, or a note that it is not plain JSON."""
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
        return status, _third_party_problem(source, error)
    if isinstance(error, DatabaseError):
        return Status.UNHEALTHY, problem_of(error, source.alias)
    if source.database is not None and isinstance(error, _NO_DATABASE_ERRORS):
        return Status.UNHEALTHY, problem_of(error, source.database)
    return Status.UNHEALTHY, _unexpected_problem(source, error)


def _third_party_problem(source: CheckSource, error: HealthCheckException) -> Problem:
    """Return the problem of an exception that a check written for django-health-check raised."""
    cause = error.__cause__
    if isinstance(cause, DatabaseError) or (source.database is not None and isinstance(cause, _NO_DATABASE_ERRORS)):
        return problem_of(cause, source.alias)
    return Problem(
        re.sub(r"\W+", "_", error.message_type.lower()),
        Fault.OUTAGE,
        redact(str(error.message)),
        f"Check that the resource that {source.name} tests is available, and that this host can reach it.",
    )


def _unexpected_problem(source: CheckSource, error: BaseException) -> Problem:
    """Return the problem of any other exception. Its text is not shown, because it may contain a secret."""
    kind = type(error).__name__
    evidence: dict[str, Evidence] = {"exception": f"{type(error).__module__}.{kind}"}
    frames = traceback.extract_tb(error.__traceback__)
    if frames:
        evidence["at"] = f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}"
    is_outage = isinstance(error, OSError) and not isinstance(error, FileNotFoundError | PermissionError)
    return Problem(
        Code.EXCEPTION,
        Fault.OUTAGE if is_outage else Fault.CONFIG,
        f"{source.name} raised {kind}.",
        "The detailed response and the log name the line that raised the exception. "
        "Checks should raise Unhealthy or Degraded instead of other exceptions."
        if not is_outage
        else f"Check that this host can reach the resource that {source.name} tests.",
        evidence,
    )


_RETURNED_FALSE = Problem(
    Code.RETURNED_FALSE,
    Fault.CONFIG,
    "The check returned False instead of raising.",
    "Raise Unhealthy in the check instead, with a message and a hint.",
)
_GENERATOR = Problem(
    Code.GENERATOR,
    Fault.CONFIG,
    "The check's run() is a generator, so none of its code was run.",
    "Remove the yield from run().",
)
_UNREADABLE_EXCEPTION = Problem(
    Code.EXCEPTION,
    Fault.CONFIG,
    "The check raised an exception whose details could not be read.",
    "Check the code of the check, and the memory usage of the process.",
)
