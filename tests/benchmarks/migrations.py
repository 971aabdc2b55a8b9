"""The cost of checking that all migrations are applied, compared with Django's own way."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from django.db import connection

from healthguard.checks import AppliedMigrations
from tests.benchmarks.cost import Cost, cost, cost_cell, cost_ratio, costs_of, growth, reconnected_cost, steady_cost
from tests.benchmarks.engines import postgresql, sqlite
from tests.benchmarks.history import write_history
from tests.benchmarks.process import call
from tests.benchmarks.table import mebibytes, table, times, verdict
from tests.benchmarks.turns import Effort, in_turns

LEAST_TIMES = {(5, 20): 15, (20, 100): 40}
"""The target: the minimum speed of a later run relative to Django, by the numbers of apps and of migrations per app."""

LATER = "later run"
RECONNECTED = "reconnected"
DJANGO = "executor"
FIRST = "first run"
FIRST_DJANGO = "executor, first run"


def measure(effort: Effort) -> str:
    """Return the tables of the section."""
    later: list[Sequence[str]] = []
    first: list[Sequence[str]] = []
    for engine, database in {"PostgreSQL": postgresql, "SQLite": sqlite}.items():
        for (apps, each), least in LEAST_TIMES.items():
            name = f"{engine}, {apps * each:,} migrations"
            with tempfile.TemporaryDirectory(prefix="healthguard-bench-") as folder, database() as url:
                project = _project(url, folder, write_history(Path(folder), apps, each))
                # This imports all migrations, so they are compiled from here on.
                call(record_all, environment=project)
                costs = costs_of(call(compared, effort.rounds, environment=project))
                memory = [call(grown, environment=project) for grown in (first_growth, django_growth)]
            speedup = cost_ratio(costs[DJANGO], costs[LATER])
            cells = (cost_cell(costs[method]) for method in (LATER, RECONNECTED, DJANGO))
            later.append((name, *cells, times(speedup), str(least), verdict(is_met=speedup >= least)))
            cells = (cost_cell(costs[method]) for method in (FIRST, FIRST_DJANGO))
            first_speedup = times(cost_ratio(costs[FIRST_DJANGO], costs[FIRST]))
            first.append((name, *cells, first_speedup, *map(mebibytes, memory)))
    return "\n\n".join(
        [
            table(("ms (queries)", LATER, RECONNECTED, DJANGO, f"{DJANGO} ÷ {LATER}", "target", ""), later),
            table(
                (
                    "ms (queries)",
                    FIRST,
                    FIRST_DJANGO,
                    f"{FIRST_DJANGO} ÷ {FIRST}",
                    f"{FIRST}, MiB",
                    f"{FIRST_DJANGO}, MiB",
                ),
                first,
            ),
        ]
    )


def _project(url: str, folder: str, apps: Sequence[str]) -> dict[str, str]:
    """Return the environment variables of a project with ``apps``, which are in ``folder``."""
    return {
        "DJANGO_SETTINGS_MODULE": "tests.benchmarks.lean_settings",
        "DATABASE_URL": url,
        "APPS": " ".join(apps),
        "PYTHONPATH": folder,
    }


def record_all() -> None:
    """Record all migrations as applied, in the order of their dependencies."""
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    recorder = executor.recorder
    recorder.ensure_schema()
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    recorder.migration_qs.bulk_create(
        recorder.Migration(app=migration.app_label, name=migration.name) for migration, _ in plan
    )


def compared(rounds: int) -> dict[str, list[Cost]]:
    """Return the costs of each method, measured in turns."""
    check = AppliedMigrations()
    methods = {
        LATER: lambda: steady_cost(check.run),
        RECONNECTED: lambda: reconnected_cost(check.run),
        DJANGO: lambda: steady_cost(_plan),
        FIRST: lambda: call(first),
        FIRST_DJANGO: lambda: call(django_first),
    }
    return in_turns(methods, rounds)


def first() -> Cost:
    """Return the cost of the first run of a process."""
    return cost(AppliedMigrations().run)


def first_growth() -> int:
    """Return the growth of a process by its first run (bytes)."""
    return growth(AppliedMigrations().run)


def django_first() -> Cost:
    """Return the cost of the first run of a process with Django's executor."""
    return cost(_plan)


def django_growth() -> int:
    """Return the growth of a process by the first run of Django's executor (bytes)."""
    return growth(_plan)


def _plan() -> None:
    """Let Django determine the pending migrations, as ``migrate --check`` does."""
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise SystemExit("A migration is pending.")
