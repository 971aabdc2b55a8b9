"""The cost of a run without any cached result, and of the same queries alone on one new connection."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from django.db import connections
from django.test import override_settings
from health_check.base import HealthCheck

from healthguard import Service
from healthguard.checks import AppliedMigrations, DatabaseName, RequiredColumns, RequiredTables
from healthguard.http.handler import Request, respond
from tests.benchmarks.table import milliseconds, table, verdict
from tests.benchmarks.turns import Effort, in_turns

Query: TypeAlias = tuple[str, Any]

TURNS_PER_ROUND = 20
MOST_TIMES = 1.3
"""The factor of the target: a run may take this many times as long as its queries, plus ``MOST_MORE``."""
MOST_MORE = 0.002
"""The constant part of the target (seconds)."""


def checks() -> list[HealthCheck]:
    """Return typical checks of a database."""
    types = {"admin_level": "varchar", "metadata": "jsonb", "is_staff": "boolean", "monthly_limit": "integer"}
    return [
        DatabaseName(str(connections["default"].settings_dict["NAME"])),
        RequiredTables(["api_keys", "customers", "analytics_events", "fun_with_flags_toggles"]),
        RequiredColumns("customers", types),
        AppliedMigrations(),
    ]


def measure(effort: Effort) -> str:
    """Return the table of the section."""
    declared = checks()
    # New checks read the migration files. The declared checks have read them before their queries are recorded.
    first, later = _queries_of(checks()), _queries_of_again(declared)
    measures: Mapping[str, Callable[[], Sequence[float]]] = {
        "first": lambda: [_response_seconds(checks())],
        "first bare": lambda: _bare(first),
        "later": lambda: [_response_seconds(declared)],
        "later bare": lambda: _bare(later),
        "thread": lambda: [_thread()],
    }
    seconds = in_turns(measures, effort.rounds * TURNS_PER_ROUND)
    medians = {
        name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in seconds.items()
    }
    rows = [
        _row("first run of a process", medians["first"][0], medians["first bare"], medians["thread"][0], len(first)),
        _row("later runs", medians["later"][0], medians["later bare"], medians["thread"][0], len(later)),
    ]
    header = ("ms", "queries", "response", "bare", "connecting", "querying", "thread", "rest", "target", "")
    return table(header, rows)


def _row(name: str, response: float, bare: Sequence[float], thread: float, queries: int) -> tuple[str, ...]:
    most = MOST_TIMES * sum(bare) + MOST_MORE
    rest = response - sum(bare) - thread
    numbers = (response, sum(bare), *bare, thread, rest, most)
    return (name, str(queries), *(milliseconds(number) for number in numbers), verdict(is_met=response <= most))


def _queries_of(run: Sequence[HealthCheck]) -> list[Query]:
    """Run the checks and return the queries that they send."""
    queries: list[Query] = []

    def record(execute: Callable[..., object], sql: str, params: object, many: bool, context: object) -> object:
        queries.append((sql, params))
        return execute(sql, params, many, context)

    with connections["default"].execute_wrapper(record):
        for check in run:
            check.run()
    return queries


def _queries_of_again(run: Sequence[HealthCheck]) -> list[Query]:
    """Run the checks twice and return the queries of the second run."""
    _queries_of(run)
    return _queries_of(run)


def _response_seconds(run: list[HealthCheck]) -> float:
    """Return the duration of a response that waits for a run, without any cached result (seconds)."""
    # Overriding the setting resets the state of the process.
    with override_settings(HEALTHGUARD={"SERVICES": {"database": Service(run)}, "DEADLINE": 30}):
        begin = time.perf_counter()
        response = respond(Request("GET", ""))
        seconds = time.perf_counter() - begin
    if response.status != 200:
        raise SystemExit(f"The response to a cold run has the status {response.status}: {response.body!r}")
    return seconds


def _bare(queries: Sequence[Query]) -> tuple[float, float]:
    """Return the duration of connecting, and of sending ``queries`` (seconds)."""
    connection = connections.create_connection("default")
    begin = time.perf_counter()
    connection.ensure_connection()
    connected = time.perf_counter()
    for sql, params in queries:
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            # The statement that sets a time limit returns its own, empty result first.
            while cursor.description is None and cursor.nextset():
                pass
            cursor.fetchall()
    connection.close()
    return connected - begin, time.perf_counter() - connected


def _thread() -> float:
    """Return the time until a new thread has run (seconds)."""
    done = threading.Event()
    begin = time.perf_counter()
    threading.Thread(target=done.set, daemon=True).start()
    done.wait()
    return time.perf_counter() - begin
