"""What something costs that asks the default database: time, queries, memory."""

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
"""How often what is quick runs in a turn, so that it is as quick as it gets."""


class Cost(NamedTuple):
    """What a run costs.

    Args:
        seconds: how long it takes.
        queries: how many it sends.
    """

    seconds: float
    queries: int


def cost(run: Run) -> Cost:
    """What ``run`` costs; connecting, where there is no connection, is no part of it."""
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
    """What ``run`` costs right after it has run: the median of a few."""
    cost(run)
    return _median([cost(run) for _ in range(STEADY_TIMES)])


def reconnected_cost(run: Run) -> Cost:
    """What ``run`` costs on a connection that was just opened, for which the server knows nothing by heart."""
    costs = []
    for _ in range(STEADY_TIMES):
        connection.close()
        costs.append(cost(run))
    return _median(costs)


def _median(costs: Sequence[Cost]) -> Cost:
    return sorted(costs)[len(costs) // 2]


def growth(run: Run) -> int:
    """By how much ``run`` makes the resident memory of the process grow (bytes)."""
    connection.ensure_connection()
    process = psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    run()
    gc.collect()
    return process.memory_info().rss - before


def costs_of(given: Mapping[str, Sequence[Sequence[Any]]]) -> dict[str, list[Cost]]:
    """The costs by way and turn that another process has told."""
    return {way: [Cost(*numbers) for numbers in turns] for way, turns in given.items()}


def told(costs: Sequence[Cost]) -> str:
    """The median in ms, and the queries in brackets."""
    return f"{milliseconds(statistics.median(each.seconds for each in costs))} ({costs[-1].queries:,})"


def cost_ratio(over: Sequence[Cost], under: Sequence[Cost]) -> float:
    """How many times as long ``over`` takes as ``under``."""
    return ratio([each.seconds for each in over], [each.seconds for each in under])
