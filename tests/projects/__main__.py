"""Run healthguard's default checks on the databases of third-party projects, and print the results."""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import importlib.metadata
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from example_project.ports import listens
from example_project.postgres import Postgres, postgres
from tests.benchmarks.table import milliseconds, table
from tests.projects.catalogue import ENGINES, MARIADB, POSTGRESQL, PROJECTS, Engine, engines_of
from tests.projects.trial import Outcome, attempt
from tests.support.machine_services import mariadb_database

_HEADER = ("", "version", "Django", "models", "tables", *ENGINES, "first run, ms", "a dropped column", "seconds")


def main() -> int:
    """Try the projects, print a table of them, and all findings below it."""
    options = _options()
    with postgres() as server, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        pending = {
            project: {
                engine: pool.submit(_attempt, project, engine, server) for engine in engines_of(project, options.engine)
            }
            for project in options.projects
            if engines_of(project, options.engine)
        }
        outcomes = {
            project: {engine: future.result() for engine, future in futures.items()}
            for project, futures in pending.items()
        }
    print(table(_HEADER, [_row(project, of_engines) for project, of_engines in outcomes.items()]))
    for project, of_engines in outcomes.items():
        for engine, outcome in of_engines.items():
            for text in _findings(outcome):
                print(f"\n{project} on {engine}: {text}")
    return 0 if all(outcome.is_good for of_engines in outcomes.values() for outcome in of_engines.values()) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.projects", description=__doc__)
    parser.add_argument("projects", nargs="*", metavar="project", help=f"{', '.join(PROJECTS)}; all by default")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="the engine; all by default")
    parser.add_argument("--jobs", type=int, default=2, help="the number of simultaneous databases")
    options = parser.parse_args()
    if unknown := set(options.projects) - set(PROJECTS):
        parser.error(f"unknown project: {', '.join(sorted(unknown))}")
    options.projects = options.projects or PROJECTS
    # Not every machine has a MariaDB.
    options.engine = options.engine or [engine for engine in ENGINES if engine != MARIADB or listens(3306)]
    return options


def _attempt(project: str, engine: Engine, server: Postgres) -> Outcome:
    with _database(project, engine, server) as url:
        return attempt(project, url)


@contextlib.contextmanager
def _database(project: str, engine: Engine, server: Postgres) -> Iterator[str]:
    """Yield the URL of a fresh, empty database."""
    if engine == POSTGRESQL:
        name = f"healthguard_{project.replace('-', '_')}"
        url = server.create(name)
        try:
            yield url
        finally:
            server.drop(name)
    elif engine == MARIADB:
        with mariadb_database(f"healthguard_{project.replace('-', '_')}") as url:
            yield url
    else:
        with tempfile.TemporaryDirectory(prefix="healthguard-projects-") as folder:
            yield f"sqlite:///{Path(folder) / 'db.sqlite3'}"


def _row(project: str, outcomes: Mapping[Engine, Outcome]) -> tuple[str, ...]:
    results = list(outcomes.values())
    return (
        project,
        importlib.metadata.version(project),
        importlib.metadata.version("django"),
        str(max(outcome.models for outcome in results)),
        str(max(outcome.tables for outcome in results)),
        *(_verdict(outcomes.get(engine)) for engine in ENGINES),
        milliseconds(max(outcome.milliseconds for outcome in results) / 1000),
        "named" if all(outcome.is_named for outcome in results) else "**not named**",
        f"{sum(outcome.seconds for outcome in results):.1f}",
    )


def _verdict(outcome: Outcome | None) -> str:
    if outcome is None:
        return "-"
    return "**failed**" if outcome.error else "quiet" if outcome.is_quiet else "**reported**"


def _findings(outcome: Outcome) -> Iterator[str]:
    """Yield the findings of an outcome as texts."""
    if outcome.error:
        yield outcome.error
    yield from outcome.problems
    if outcome.is_quiet and outcome.checked != outcome.tables:
        yield f"healthguard has checked {outcome.checked} of {outcome.tables} tables."
    if outcome.dropped and not outcome.is_named:
        yield f"{outcome.dropped} was dropped, but this is not reported."
    if outcome.changed_apps:
        yield f"The models of {', '.join(outcome.changed_apps)} have changed since the project made its migrations."


if __name__ == "__main__":
    sys.exit(main())
