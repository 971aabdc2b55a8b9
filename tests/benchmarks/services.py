"""The duration of a response by the number of services."""

from __future__ import annotations

import functools
import statistics
import time
import timeit

from django.test import override_settings
from health_check.base import HealthCheck

from healthguard import Service
from healthguard.http.handler import Request, respond
from tests.benchmarks.table import milliseconds, table
from tests.benchmarks.turns import Effort, in_turns

COUNTS = (1, 10, 100, 1_000)
TURNS_PER_ROUND = 2

_TOKEN = "benchmarks-details"
_CACHED_RESPONSES = 1_000


class Trivial(HealthCheck):
    """A check that does nothing, so that only the code around it is measured."""

    def run(self) -> None:
        """Return at once."""


def measure(effort: Effort) -> str:
    """Return the table of the section."""
    responses = {str(count): functools.partial(_response_seconds, count) for count in COUNTS}
    seconds = in_turns(responses, effort.rounds * TURNS_PER_ROUND)
    rows = [
        (f"{int(name):,}", *(milliseconds(statistics.median(column)) for column in zip(*turns, strict=True)))
        for name, turns in seconds.items()
    ]
    return table(("services", "first response, ms", "later response, ms", "with details, ms"), rows)


def _response_seconds(count: int) -> tuple[float, float, float]:
    """Return the durations of the first response, of a cached one, and of one with details (seconds).

    A response with details is not cached.
    """
    services = {f"service_{number}": Service(Trivial(), ttl=3600) for number in range(count)}
    declaration = {"SERVICES": services, "DEADLINE": 60, "DETAILS_TOKENS": [_TOKEN]}
    # Overriding the setting resets the state of the process.
    with override_settings(HEALTHGUARD=declaration):
        begin = time.perf_counter()
        response = respond(Request("GET", ""))
        first = time.perf_counter() - begin
        if response.status != 200:
            raise SystemExit(f"The response for {count} services has the status {response.status}.")
        later = timeit.timeit(lambda: respond(Request("GET", "")), number=_CACHED_RESPONSES) / _CACHED_RESPONSES
        detailed = min(timeit.repeat(lambda: respond(_detailed()), number=1, repeat=5))
    return first, later, detailed


def _detailed() -> Request:
    return Request("GET", "", authorization=f"Bearer {_TOKEN}")
