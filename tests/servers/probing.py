"""Requests to a running server, and functions that wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.support.sites import Reply, Server

PATIENCE = 60.0
"""The longest time to wait for a condition that must become true (seconds)."""


def wait_for(condition: Callable[[], object], description: str, server: Server) -> None:
    """Wait until the condition is true."""
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends, f"{description}\n{server.log[-3000:]}"
        time.sleep(0.1)


def wait_until_ready(server: Server) -> None:
    """Wait until ``/ready`` answers 200."""
    assert server.until("/api/health/ready", 200, PATIENCE).status == 200, server.log[-3000:]


def replies(server: Server, path: str, count: int) -> list[Reply]:
    """Return the responses to ``count`` requests, each over a new connection."""
    return [server.get(f"/api/health{path}") for _ in range(count)]


def statuses(server: Server, path: str, count: int = 20) -> set[int]:
    """Return the status codes of ``count`` requests, each over a new connection."""
    return {reply.status for reply in replies(server, path, count)}


def pids_that_answer(server: Server) -> set[int]:
    """Return the processes that answered eight simultaneous requests; none if no server listens."""
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(server.get, "/pid", host="example.com", timeout=PATIENCE) for _ in range(8)]
    return {int(answer.result().body) for answer in answers if not isinstance(answer.exception(), OSError)}


def wait_for_workers(server: Server, count: int) -> None:
    """Wait until ``count`` processes have answered. A server listens as soon as its first worker has started."""
    pids: set[int] = set()

    def is_complete() -> bool:
        pids.update(pids_that_answer(server))
        return len(pids) >= count

    wait_for(is_complete, f"{count} workers answer", server)
