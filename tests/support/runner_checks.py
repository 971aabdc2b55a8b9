"""The checks and helper functions that the tests of the runner share."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from health_check.base import HealthCheck

from healthguard import Degraded
from healthguard.http.handler import Request, respond
from healthguard.status import Fault

DETAILS_TOKEN = "details-" * 4

ThreadNames = Callable[[], list[str]]
"""``own_threads()`` returns the names of healthguard's threads that the test has started and that have not ended."""

WithoutThreads = Callable[[str], AbstractContextManager[None]]
"""``without_threads(name)``: while it is entered, no thread whose name begins with ``name`` can be started."""


def get_health(path: str = "", query: str = "", token: str = DETAILS_TOKEN) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON body of a response."""
    response = respond(Request("GET", path, query, f"Bearer {token}" if token else ""))
    return response.status, json.loads(response.body)


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until ``condition()`` is true.

    Raises:
        AssertionError: it is not within ``seconds``.
    """
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


async def wait_for_first_run(check: GatedCheck) -> None:
    """Wait, without blocking the event loop, until the first run of ``check`` has begun."""
    while check.runs == 0:  # noqa: ASYNC110 (the run is on another thread)
        await asyncio.sleep(0.01)


def is_true_in_fork(condition: Callable[[], bool]) -> bool:
    """Return True if ``condition()`` is true in a fork of this process."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if condition() else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


class GatedCheck(HealthCheck):
    """A check that counts its runs.

    A run waits while the gate is closed. It raises the error that was set when it began.

    Args:
        is_open: False to close the gate at first.
    """

    def __init__(self, *, is_open: bool = True) -> None:
        self.runs = 0
        self.ended = 0
        self.error: BaseException | None = None
        self.seconds = 0.0
        """The shortest time that a run takes (seconds)."""
        self.gate = threading.Event()
        if is_open:
            self.gate.set()

    def run(self) -> None:
        self.runs += 1
        error = self.error
        assert self.gate.wait(100)
        time.sleep(self.seconds)
        self.ended += 1
        if error is not None:
            raise error


class LeavesExecutorCall(HealthCheck):
    """A check that ends in time, but leaves a call in an executor behind, like the lookup of a host name."""

    def __init__(self) -> None:
        self.released = threading.Event()

    async def run(self) -> None:
        try:
            async with asyncio.timeout(0.1):
                await asyncio.to_thread(self.released.wait, 100)
        except TimeoutError:
            pass
        raise Degraded("gave_up", "x", fault=Fault.OUTAGE, hint="y")
