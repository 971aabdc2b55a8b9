"""The cost of functions that query the default database: time, queries, memory."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import psutil
from django.db import connection

from tests.benchmarks.table import milliseconds
from tests.benchmarks.turns import ratio

Run: TypeAlias = Callable[[], object]

STEADY_TIMES = 9
"""The number of times that a fast function runs in each turn, so that all caches are warm."""


class Cost(NamedTuple):
    """The cost of one run.

    Args:
        seconds: its duration.
        queries: the number of queries that it sends.
    """

    seconds: float
    queries: int


def cost(run: Run) -> Cost:
    """Return the cost of ``run``, without the cost of connecting."""
    queries = 0

    def count(execute: Callable[..., object], *arguments: object) -> object:
        nonlocal queries
        queries += 1
        return execute(*arguments)

    connection.ensure_connection()
    with connection.execute_wrapper(count):
        begin = time.perf_counter()
        run()
        return Cost(time.perf_counter() - begin, queries)


def steady_cost(run: Run) -> Cost:
    """Return the cost of ``run`` right after it has run: the median of ``STEADY_TIMES`` runs."""
    cost(run)
    return _median([cost(run) for _ in range(STEADY_TIMES)])


def reconnected_cost(run: Run) -> Cost:
    """Return the cost of ``run`` on a new connection, without anything cached by the server."""
    costs = []
    for _ in range(STEADY_TIMES):
        connection.close()
        costs.append(cost(run))
    return _median(costs)


def _median(costs: Sequence[Cost]) -> Cost:
    return sorted(costs)[len(costs) // 2]


def growth(run: Run) -> int:
    """Return the growth of the resident memory of the process during ``run`` (bytes)."""
    connection.ensure_connection()
    process = psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    run()
    gc.collect()
    return process.memory_info().rss - before


def costs_of(numbers: Mapping[str, Sequence[Sequence[Any]]]) -> dict[str, list[Cost]]:
    """Return the costs, by method and turn, from the numbers that another process returned as JSON."""
    return {method: [Cost(*turn) for turn in turns] for method, turns in numbers.items()}


def cost_cell(costs: Sequence[Cost]) -> str:
    """Return the median in ms, with the number of queries in brackets."""
    return f"{milliseconds(statistics.median(each.seconds for each in costs))} ({costs[-1].queries:,})"


def cost_ratio(over: Sequence[Cost], under: Sequence[Cost]) -> float:
    """Return the duration of ``over`` divided by that of ``under``."""
    return ratio([each.seconds for each in over], [each.seconds for each in under])
