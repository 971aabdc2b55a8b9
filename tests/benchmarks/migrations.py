"""What it costs to see that all migrations are applied, beside Django's own way to do so."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from django.db import connection

from healthguard.checks import AppliedMigrations
from tests.benchmarks.cost import Cost, cost, cost_ratio, costs_of, growth, reconnected_cost, steady_cost, told
from tests.benchmarks.engines import postgresql, sqlite
from tests.benchmarks.history import write_history
from tests.benchmarks.process import call
from tests.benchmarks.table import mebibytes, table, times, verdict
from tests.benchmarks.turns import Effort, in_turns

LEAST_TIMES = {(5, 20): 15, (20, 100): 40}
"""How many times as fast as Django's way a later run must be, by how many apps there are and the migrations of each."""

LATER = "later run"
RECONNECTED = "reconnected"
DJANGO = "executor"
FIRST = "first run"
FIRST_DJANGO = "executor's first"


def measure(effort: Effort) -> str:
    """The section's tables."""
    later: list[Sequence[str]] = []
    first: list[Sequence[str]] = []
    for engine, database in {"PostgreSQL": postgresql, "SQLite": sqlite}.items():
        for (apps, each), least in LEAST_TIMES.items():
            name = f"{engine}, {apps * each:,} migrations"
            with tempfile.TemporaryDirectory(prefix="healthguard-bench-") as folder, database() as url:
                project = _project(url, folder, write_history(Path(folder), apps, each))
                # It imports all of them: from here on they are compiled.
                call(record_all, environment=project)
                costs = costs_of(call(compared, effort.rounds, environment=project))
                memory = [call(grown, environment=project) for grown in (first_growth, django_growth)]
            found = cost_ratio(costs[DJANGO], costs[LATER])
            ways = (told(costs[way]) for way in (LATER, RECONNECTED, DJANGO))
            later.append((name, *ways, times(found), str(least), verdict(is_met=found >= least)))
            ways = (told(costs[way]) for way in (FIRST, FIRST_DJANGO))
            quicker = times(cost_ratio(costs[FIRST_DJANGO], costs[FIRST]))
            first.append((name, *ways, quicker, *map(mebibytes, memory)))
    return "\n\n".join(
        [
            table(("ms (queries)", LATER, RECONNECTED, DJANGO, f"{DJANGO} ÷ {LATER}", "target", ""), later),
            table(("ms (queries)", FIRST, FIRST_DJANGO, "÷", f"{FIRST}, MiB", f"{FIRST_DJANGO}, MiB"), first),
        ]
    )


def _project(url: str, folder: str, apps: Sequence[str]) -> dict[str, str]:
    """The environment of a project with ``apps``, which are in ``folder``."""
    return {
        "DJANGO_SETTINGS_MODULE": "tests.benchmarks.lean_settings",
        "DATABASE_URL": url,
        "APPS": " ".join(apps),
        "PYTHONPATH": folder,
    }


def record_all() -> None:
    """Record all migrations as applied, in an order in which they can be."""
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    recorder = executor.recorder
    recorder.ensure_schema()
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    recorder.migration_qs.bulk_create(
        recorder.Migration(app=migration.app_label, name=migration.name) for migration, _ in plan
    )


def compared(rounds: int) -> dict[str, list[Cost]]:
    """What each way costs, in turns."""
    check = AppliedMigrations()
    ways = {
        LATER: lambda: steady_cost(check.run),
        RECONNECTED: lambda: reconnected_cost(check.run),
        DJANGO: lambda: steady_cost(_plan),
        FIRST: lambda: call(first),
        FIRST_DJANGO: lambda: call(django_first),
    }
    return in_turns(ways, rounds)


def first() -> Cost:
    """What a run costs that is the first of its process."""
    return cost(AppliedMigrations().run)


def first_growth() -> int:
    """By how much such a run makes its process grow (bytes)."""
    return growth(AppliedMigrations().run)


def django_first() -> Cost:
    """What the same costs in Django's way."""
    return cost(_plan)


def django_growth() -> int:
    """By how much Django's way makes its process grow (bytes)."""
    return growth(_plan)


def _plan() -> None:
    """Ask Django what is to be applied, as ``migrate --check`` does."""
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise SystemExit("A migration is pending.")
