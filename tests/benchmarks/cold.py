"""What a run of the checks costs: everything new, beside the queries alone on one new connection."""

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
from healthguard.respond import Request, respond
from tests.benchmarks.table import milliseconds, table, verdict
from tests.benchmarks.turns import Effort, in_turns

Query: TypeAlias = tuple[str, Any]

TURNS_PER_ROUND = 20
MOST_TIMES = 1.3
MOST_MORE = 0.002
"""A cold run may take this many times what its queries take, and this much more (seconds)."""


def checks() -> list[HealthCheck]:
    """The checks of a database, as a deployment declares them."""
    types = {"admin_level": "varchar", "metadata": "jsonb", "is_staff": "boolean", "monthly_limit": "integer"}
    return [
        DatabaseName(str(connections["default"].settings_dict["NAME"])),
        RequiredTables(["api_keys", "customers", "analytics_events", "fun_with_flags_toggles"]),
        RequiredColumns("customers", types),
        AppliedMigrations(),
    ]


def measure(effort: Effort) -> str:
    """The section's tables."""
    declared = checks()
    # With these the graph of migrations is read anew; the others have read it by now.
    first, later = _queries_of(checks()), _queries_of_again(declared)
    measures: Mapping[str, Callable[[], Sequence[float]]] = {
        "first": lambda: [_answered(checks())],
        "first bare": lambda: _bare(first),
        "later": lambda: [_answered(declared)],
        "later bare": lambda: _bare(later),
        "thread": lambda: [_thread()],
    }
    given = in_turns(measures, effort.rounds * TURNS_PER_ROUND)
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in given.items()}
    rows = [
        _row("a process's first run", medians["first"][0], medians["first bare"], medians["thread"][0], len(first)),
        _row("every later run", medians["later"][0], medians["later bare"], medians["thread"][0], len(later)),
    ]
    header = ("ms", "queries", "answer", "bare", "connecting", "querying", "a thread", "the rest", "target", "")
    return table(header, rows)


def _row(name: str, answer: float, bare: Sequence[float], thread: float, queries: int) -> tuple[str, ...]:
    most = MOST_TIMES * sum(bare) + MOST_MORE
    rest = answer - sum(bare) - thread
    numbers = (answer, sum(bare), *bare, thread, rest, most)
    return (name, str(queries), *(milliseconds(number) for number in numbers), verdict(is_met=answer <= most))


def _queries_of(run: Sequence[HealthCheck]) -> list[Query]:
    """The queries that the checks send."""
    queries: list[Query] = []

    def note(execute: Callable[..., object], sql: str, params: object, many: bool, context: object) -> object:
        queries.append((sql, params))
        return execute(sql, params, many, context)

    with connections["default"].execute_wrapper(note):
        for check in run:
            check.run()
    return queries


def _queries_of_again(run: Sequence[HealthCheck]) -> list[Query]:
    """The same when they have run before."""
    _queries_of(run)
    return _queries_of(run)


def _answered(run: list[HealthCheck]) -> float:
    """How long an answer takes that waits for a run, with nothing known before (seconds)."""
    # To override the setting makes a new guard.
    with override_settings(HEALTHGUARD={"SERVICES": {"database": Service(run)}, "DEADLINE": 30}):
        begin = time.perf_counter()
        answer = respond(Request("GET", ""))
        seconds = time.perf_counter() - begin
    if answer.status != 200:
        raise SystemExit(f"The cold run gave {answer.status}: {answer.body!r}")
    return seconds


def _bare(queries: Sequence[Query]) -> tuple[float, float]:
    """How long connecting takes, and sending ``queries`` (seconds)."""
    connection = connections.create_connection("default")
    begin = time.perf_counter()
    connection.ensure_connection()
    connected = time.perf_counter()
    for sql, params in queries:
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            # What sets a limit first gives its own, empty result first.
            while cursor.description is None and cursor.nextset():
                pass
            cursor.fetchall()
    connection.close()
    return connected - begin, time.perf_counter() - connected


def _thread() -> float:
    """How long it takes until a new thread has run (seconds)."""
    done = threading.Event()
    begin = time.perf_counter()
    threading.Thread(target=done.set, daemon=True).start()
    done.wait()
    return time.perf_counter() - begin
