"""What it costs to see that all models' tables are as the models have them, beside other ways to do so."""

from __future__ import annotations

import gc
import io
import tracemalloc
from collections.abc import Mapping, Sequence

from django.apps import apps
from django.core.management import call_command
from django.db import connection

from healthguard.checks import ModelSchema
from tests.benchmarks.cost import Cost, cost, cost_ratio, costs_of, growth, reconnected_cost, steady_cost, told
from tests.benchmarks.engines import engines
from tests.benchmarks.process import call
from tests.benchmarks.table import mebibytes, table, times, verdict
from tests.benchmarks.turns import Effort, in_turns

COUNTS = (10, 100, 1_000)
MOST = COUNTS[-1]
LEAST_TIMES = 50
"""A later run must be this many times as fast as sqldiff, with the most models."""

LATER = "later run"
RECONNECTED = "reconnected"
FIRST = "first run"
DJANGO = "introspection"
SQLDIFF = "sqldiff"


def measure(effort: Effort) -> str:
    """The section's tables."""
    rows: list[Sequence[str]] = []
    memory: list[Sequence[str]] = []
    found = engines()
    for engine, database in found.items():
        for count in COUNTS:
            with database() as url:
                project = _project(url, count)
                call(create_tables, environment=project)
                # With the most models sqldiff takes so long that there are fewer turns.
                rounds = effort.rounds if count < MOST else max(1, effort.rounds // 2)
                costs = costs_of(call(compared, rounds, environment=project))
                rows.append(_row(f"{engine}, {count:,} models", costs, is_target=count == MOST))
                if count == MOST:
                    numbers = (call(memory_of, environment=project) for memory_of in (kept, grown))
                    memory.append((engine, *map(mebibytes, numbers)))
    header = (LATER, RECONNECTED, FIRST, DJANGO, SQLDIFF, f"{DJANGO} ÷ {LATER}", f"{SQLDIFF} ÷ {LATER}", "target", "")
    parts = [
        table(("ms (queries)", *header), rows),
        table((f"MiB, {MOST:,} models", "the check keeps", "the process grows"), memory),
    ]
    if "MariaDB" not in found:
        parts.append("MariaDB is left out: none listens here.")
    return "\n\n".join(parts)


def _project(url: str, count: int) -> dict[str, str]:
    """The environment of a project with ``count`` models."""
    return {
        "DJANGO_SETTINGS_MODULE": "tests.benchmarks.lean_settings",
        "DATABASE_URL": url,
        "APPS": "tests.benchmarks.wide django_extensions",
        "WIDE_MODELS": str(count),
    }


def _row(name: str, costs: Mapping[str, Sequence[Cost]], *, is_target: bool) -> tuple[str, ...]:
    found = cost_ratio(costs[SQLDIFF], costs[LATER])
    target = (str(LEAST_TIMES), verdict(is_met=found >= LEAST_TIMES)) if is_target else ("", "")
    return (name, *map(told, costs.values()), times(cost_ratio(costs[DJANGO], costs[LATER])), times(found), *target)


def create_tables() -> None:
    """Create the tables of all models."""
    # One transaction for all of them would need more locks than PostgreSQL has by default.
    with connection.schema_editor(atomic=connection.vendor == "sqlite") as editor:
        for model in apps.get_models():
            editor.create_model(model)


def compared(rounds: int) -> dict[str, list[Cost]]:
    """What each way costs, in turns."""
    check = ModelSchema()
    ways = {
        LATER: lambda: steady_cost(check.run),
        RECONNECTED: lambda: reconnected_cost(check.run),
        FIRST: lambda: call(first),
        DJANGO: lambda: cost(_introspect),
        SQLDIFF: lambda: cost(_sqldiff),
    }
    return in_turns(ways, rounds)


def first() -> Cost:
    """What a run costs that is the first of its process."""
    return cost(ModelSchema().run)


def grown() -> int:
    """By how much such a run makes its process grow (bytes)."""
    return growth(ModelSchema().run)


def kept() -> int:
    """What a check keeps once it has run (bytes)."""
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
    """Read the columns of all tables, as Django tells them."""
    introspection = connection.introspection
    with connection.cursor() as cursor:
        for name in introspection.table_names(cursor):
            introspection.get_table_description(cursor, name)


def _sqldiff() -> None:
    call_command("sqldiff", all_applications=True, stdout=io.StringIO())
