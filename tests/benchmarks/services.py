"""How an answer grows with the number of services."""

from __future__ import annotations

import functools
import statistics
import time
import timeit

from django.test import override_settings
from health_check.base import HealthCheck

from healthguard import Service
from healthguard.respond import Request, respond
from tests.benchmarks.table import milliseconds, table
from tests.benchmarks.turns import Effort, in_turns

COUNTS = (1, 10, 100, 1_000)
TURNS_PER_ROUND = 2

_TOKEN = "benchmarks-details"
_HELD = 1_000


class Trivial(HealthCheck):
    """Costs nothing, so that only the way around it is measured."""

    def run(self) -> None:
        """All is well."""


def measure(effort: Effort) -> str:
    """The section's table."""
    answers = {str(count): functools.partial(_answers, count) for count in COUNTS}
    given = in_turns(answers, effort.rounds * TURNS_PER_ROUND)
    rows = [
        (f"{int(name):,}", *(milliseconds(statistics.median(column)) for column in zip(*turns, strict=True)))
        for name, turns in given.items()
    ]
    return table(("services", "first answer, ms", "later answer, ms", "with details, ms"), rows)


def _answers(count: int) -> tuple[float, float, float]:
    """How long the first answer takes, a later one, and one with details, which is made anew each time (seconds)."""
    services = {f"service_{number}": Service(Trivial(), ttl=3600) for number in range(count)}
    declaration = {"SERVICES": services, "DEADLINE": 60, "DETAILS_TOKENS": [_TOKEN]}
    # To override the setting makes a new guard.
    with override_settings(HEALTHGUARD=declaration):
        begin = time.perf_counter()
        answer = respond(Request("GET", ""))
        first = time.perf_counter() - begin
        if answer.status != 200:
            raise SystemExit(f"{count} services gave {answer.status}.")
        later = timeit.timeit(lambda: respond(Request("GET", "")), number=_HELD) / _HELD
        detailed = min(timeit.repeat(lambda: respond(_detailed()), number=1, repeat=5))
    return first, later, detailed


def _detailed() -> Request:
    return Request("GET", "", authorization=f"Bearer {_TOKEN}")
