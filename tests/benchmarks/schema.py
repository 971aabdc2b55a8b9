"""The cost of comparing the tables of all models with the database, by healthguard and by other tools."""

from __future__ import annotations

import gc
import io
import tracemalloc
from collections.abc import Mapping, Sequence

from django.apps import apps
from django.core.management import call_command
from django.db import connection

from healthguard.checks import ModelSchema
from tests.benchmarks.cost import Cost, cost, cost_cell, cost_ratio, costs_of, growth, reconnected_cost, steady_cost
from tests.benchmarks.engines import engines
from tests.benchmarks.process import call
from tests.benchmarks.table import mebibytes, table, times, verdict
from tests.benchmarks.turns import Effort, in_turns

COUNTS = (10, 100, 1_000)
MOST = COUNTS[-1]
LEAST_TIMES = 50
"""The target: with the most models, a later run must be this many times as fast as sqldiff."""

LATER = "later run"
RECONNECTED = "reconnected"
FIRST = "first run"
DJANGO = "introspection"
SQLDIFF = "sqldiff"


def measure(effort: Effort) -> str:
    """Return the tables of the section."""
    rows: list[Sequence[str]] = []
    memory: list[Sequence[str]] = []
    available = engines()
    for engine, database in available.items():
        for count in COUNTS:
            with database() as url:
                project = _project(url, count)
                call(create_tables, environment=project)
                # With the most models, sqldiff is so slow that there are fewer rounds.
                rounds = effort.rounds if count < MOST else max(1, effort.rounds // 2)
                costs = costs_of(call(compared, rounds, environment=project))
                rows.append(_row(f"{engine}, {count:,} models", costs, is_target=count == MOST))
                if count == MOST:
                    numbers = (call(memory_of, environment=project) for memory_of in (kept, grown))
                    memory.append((engine, *map(mebibytes, numbers)))
    header = (LATER, RECONNECTED, FIRST, DJANGO, SQLDIFF, f"{DJANGO} ÷ {LATER}", f"{SQLDIFF} ÷ {LATER}", "target", "")
    parts = [
        table(("ms (queries)", *header), rows),
        table((f"MiB, {MOST:,} models", "kept by the check", "growth of the process"), memory),
    ]
    if "MariaDB" not in available:
        parts.append("MariaDB was not measured, because no server listens on 127.0.0.1:3306.")
    return "\n\n".join(parts)


def _project(url: str, count: int) -> dict[str, str]:
    """Return the environment variables of a project with ``count`` models."""
    return {
        "DJANGO_SETTINGS_MODULE": "tests.benchmarks.lean_settings",
        "DATABASE_URL": url,
        "APPS": "tests.benchmarks.wide django_extensions",
        "WIDE_MODELS": str(count),
    }


def _row(name: str, costs: Mapping[str, Sequence[Cost]], *, is_target: bool) -> tuple[str, ...]:
    speedup = cost_ratio(costs[SQLDIFF], costs[LATER])
    target = (str(LEAST_TIMES), verdict(is_met=speedup >= LEAST_TIMES)) if is_target else ("", "")
    cells = map(cost_cell, costs.values())
    return (name, *cells, times(cost_ratio(costs[DJANGO], costs[LATER])), times(speedup), *target)


def create_tables() -> None:
    """Create the tables of all models."""
    # A single transaction would need more locks than PostgreSQL has by default.
    with connection.schema_editor(atomic=connection.vendor == "sqlite") as editor:
        for model in apps.get_models():
            editor.create_model(model)


def compared(rounds: int) -> dict[str, list[Cost]]:
    """Return the costs of each method, measured in turns."""
    check = ModelSchema()
    methods = {
        LATER: lambda: steady_cost(check.run),
        RECONNECTED: lambda: reconnected_cost(check.run),
        FIRST: lambda: call(first),
        DJANGO: lambda: cost(_introspect),
        SQLDIFF: lambda: cost(_sqldiff),
    }
    return in_turns(methods, rounds)


def first() -> Cost:
    """Return the cost of the first run of a process."""
    return cost(ModelSchema().run)


def grown() -> int:
    """Return the growth of a process by its first run (bytes)."""
    return growth(ModelSchema().run)


def kept() -> int:
    """Return the memory that a check keeps after a run (bytes)."""
    check = ModelSchema()
    tracemalloc.start()
    check.run()
    gc.collect()
    with_it, _ = tracemalloc.get_traced_memory()
    del check
    gc.collect()
    without_it, _ = tracemalloc.get_traced_memory()
    return with_it - without_it


def _introspect() -> None:
    """Read the columns of all tables with Django's introspection."""
    introspection = connection.introspection
    with connection.cursor() as cursor:
        for name in introspection.table_names(cursor):
            introspection.get_table_description(cursor, name)


def _sqldiff() -> None:
    call_command("sqldiff", all_applications=True, stdout=io.StringIO())
