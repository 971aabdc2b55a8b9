"""A check whose statement lasts for a quarter of an hour, and the count of these statements on the server."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.db import connections
from health_check.base import HealthCheck

from tests.support.sites import PATIENCE

STATEMENT = "SELECT pg_sleep(900)"

ListRunning = Callable[[], list[tuple[Any, ...]]]
"""A function that returns the rows of ``RUNNING``."""

RUNNING = f"SELECT pid, query_start FROM pg_stat_activity WHERE query LIKE '%{STATEMENT}' AND state = 'active' \
AND pid <> pg_backend_pid() AND datname = '{{database}}'"
"""The query for the statements of ``Sleeps`` that the server is running."""


class Sleeps(HealthCheck):
    """A foreign check whose statement lasts for a quarter of an hour."""

    def __init__(self, alias: str = "default") -> None:
        self.alias = alias

    def run(self) -> None:
        with connections[self.alias].cursor() as cursor:
            cursor.execute(STATEMENT)


def most_at_once(list_running: ListRunning, probe: Callable[[], object]) -> int:
    """Send probes until the server has run four of the statements, and return how many it ran at once at most."""
    seen: set[tuple[Any, ...]] = set()
    most = 0
    ends = time.monotonic() + PATIENCE
    while len(seen) < 4:
        assert time.monotonic() < ends
        probe()
        running = list_running()
        seen.update(running)
        most = max(most, len(running))
        time.sleep(0.02)
    return most
