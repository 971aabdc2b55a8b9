"""Ask healthguard's defaults on the databases of projects that others wrote, and print what they told."""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import importlib.metadata
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from example_project.postgres import Postgres, postgres
from tests.benchmarks.table import milliseconds, table
from tests.projects.catalogue import ENGINES, POSTGRESQL, PROJECTS, Engine, engines_of
from tests.projects.trial import Outcome, attempt

_HEADER = ("", "version", "Django", "models", "tables", *ENGINES, "first run, ms", "a dropped column", "seconds")


def main() -> int:
    """Try the projects, print a table of them, and below it all that is not as it should be."""
    options = _options()
    with postgres() as server, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        pending = {
            project: {engine: pool.submit(_attempt, project, engine, server) for engine in engines_of(project)}
            for project in options.projects
        }
        outcomes = {
            project: {engine: future.result() for engine, future in futures.items()}
            for project, futures in pending.items()
        }
    print(table(_HEADER, [_row(project, of_engines) for project, of_engines in outcomes.items()]))
    for project, of_engines in outcomes.items():
        for engine, outcome in of_engines.items():
            for text in _texts(outcome):
                print(f"\n{project} on {engine}: {text}")
    return 0 if all(outcome.is_good for of_engines in outcomes.values() for outcome in of_engines.values()) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.projects", description=__doc__)
    parser.add_argument("projects", nargs="*", metavar="project", help=f"{', '.join(PROJECTS)}; all by default")
    parser.add_argument("--jobs", type=int, default=2, help="how many databases at a time")
    options = parser.parse_args()
    if unknown := set(options.projects) - set(PROJECTS):
        parser.error(f"no such project: {', '.join(sorted(unknown))}")
    options.projects = options.projects or PROJECTS
    return options


def _attempt(project: str, engine: Engine, server: Postgres) -> Outcome:
    with _database(project, engine, server) as url:
        return attempt(project, url)


@contextlib.contextmanager
def _database(project: str, engine: Engine, server: Postgres) -> Iterator[str]:
    """The URL of a fresh, empty database."""
    if engine == POSTGRESQL:
        name = f"healthguard_{project.replace('-', '_')}"
        url = server.create(name)
        try:
            yield url
        finally:
            server.drop(name)
    else:
        with tempfile.TemporaryDirectory(prefix="healthguard-projects-") as folder:
            yield f"sqlite:///{Path(folder) / 'db.sqlite3'}"


def _row(project: str, outcomes: Mapping[Engine, Outcome]) -> tuple[str, ...]:
    told = list(outcomes.values())
    return (
        project,
        importlib.metadata.version(project),
        importlib.metadata.version("django"),
        str(max(outcome.models for outcome in told)),
        str(max(outcome.tables for outcome in told)),
        *(_word(outcomes.get(engine)) for engine in ENGINES),
        milliseconds(max(outcome.milliseconds for outcome in told) / 1000),
        "named" if all(outcome.is_named for outcome in told) else "**not named**",
        f"{sum(outcome.seconds for outcome in told):.1f}",
    )


def _word(outcome: Outcome | None) -> str:
    if outcome is None:
        return "-"
    return "**failed**" if outcome.error else "quiet" if outcome.is_quiet else "**told**"


def _texts(outcome: Outcome) -> Iterator[str]:
    """What is to be told of an outcome beside its row."""
    if outcome.error:
        yield outcome.error
    yield from outcome.problems
    if outcome.is_quiet and outcome.seen != outcome.tables:
        yield f"it has looked at {outcome.seen} tables of {outcome.tables}."
    if outcome.dropped and not outcome.is_named:
        yield f"{outcome.dropped} was dropped, and nothing tells it."
    if outcome.unmade:
        yield f"the models of {', '.join(outcome.unmade)} have changed since the project made its migrations."


if __name__ == "__main__":
    sys.exit(main())
