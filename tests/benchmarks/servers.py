"""Requests per second of real servers: healthguard, its peers, a view that does nothing, and no framework at all."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from example_project.postgres import Postgres
from tests.benchmarks import project
from tests.benchmarks.load import Sample, load
from tests.benchmarks.statements import counted
from tests.benchmarks.table import milliseconds, table, times, verdict
from tests.benchmarks.turns import Effort, in_turns, ratio
from tests.sites import Server, Site

DATABASE = "healthguard_bench"

_UVICORN = ("--no-access-log", "--log-level", "warning")
KINDS = {
    "gunicorn gthread": ("gunicorn-gthread",),
    "uvicorn": ("uvicorn", *_UVICORN, "--http", "h11", "--loop", "asyncio"),
    "uvicorn[standard]": ("uvicorn", *_UVICORN, "--http", "httptools", "--loop", "uvloop"),
}
"""The servers, one worker each, with options; gthread has four threads. The last has httptools and uvloop."""

RAW = "raw callable"
WRAPPER = "healthguard, wrapper"
MIDDLEWARE = "healthguard, middleware"
PLAIN = "healthguard, URLs"
BARE = "bare view"
HEALTH_CHECK = "django-health-check"
WATCHMAN = "django-watchman"
ALIVE = "django-alive"

CASES = {
    RAW: ("raw", project.HEALTH),
    WRAPPER: ("wrapper", project.HEALTH),
    MIDDLEWARE: ("middleware", project.HEALTH),
    PLAIN: ("urls", project.HEALTH),
    BARE: ("urls", project.BARE),
    HEALTH_CHECK: ("urls", project.HEALTH_CHECK),
    WATCHMAN: ("urls", project.WATCHMAN),
    ALIVE: ("urls", project.ALIVE),
}
"""What is asked: on which site, and for which path."""

COMPARED = (BARE, HEALTH_CHECK, WATCHMAN, RAW)

# Longer than a result is fresh, so that a run of the checks falls into it.
_COUNTING_SECONDS = 6


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """How much faster ``case`` must be than ``other``, under WSGI and under ASGI."""

    case: str
    other: str
    wsgi: float
    asgi: float

    def least(self, kind: str) -> float:
        """What holds on ``kind``, one of KINDS."""
        return self.asgi if kind.startswith("uvicorn") else self.wsgi


TARGETS = (
    Target(MIDDLEWARE, BARE, 1.2, 2.3),
    Target(WRAPPER, BARE, 1.6, 12),
    Target(WRAPPER, RAW, 0.8, 0.8),
    Target(MIDDLEWARE, HEALTH_CHECK, 8, 8),
    Target(WRAPPER, HEALTH_CHECK, 8, 8),
    Target(MIDDLEWARE, WATCHMAN, 2, 2),
    Target(WRAPPER, WATCHMAN, 2, 2),
)
MOST_STATEMENTS = 0.01
"""Per probe, under load."""


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """What was measured on one kind of server.

    Args:
        samples: by case, round by round.
        statements: database statements per probe, by case.
    """

    samples: Mapping[str, Sequence[Sample]]
    statements: Mapping[str, float]

    def median(self, case: str, number: Callable[[Sample], float]) -> float:
        """The median of the rounds."""
        return statistics.median(number(sample) for sample in self.samples[case])

    def ratio(self, case: str, other: str) -> float:
        """How many times as many requests per second ``case`` answers as ``other``."""
        over, under = ([sample.rate for sample in self.samples[name]] for name in (case, other))
        return ratio(over, under)


def measure(effort: Effort) -> str:
    """The section's tables."""
    # Starts the PostgreSQL, so not before it is needed.
    from tests.settings import POSTGRES

    with tempfile.TemporaryDirectory(prefix="healthguard-bench-") as folder, _database(POSTGRES) as url:
        measured = {kind: _measured(kind, effort, Path(folder), POSTGRES, url) for kind in KINDS}
    parts = [f"### {kind}\n\n{_table(numbers)}" for kind, numbers in measured.items()]
    return "\n\n".join([*parts, f"### Targets\n\n{_targets(measured)}"])


@contextlib.contextmanager
def _database(postgres: Postgres) -> Iterator[str]:
    yield postgres.create(DATABASE)
    postgres.drop(DATABASE)


def _measured(kind: str, effort: Effort, folder: Path, postgres: Postgres, url: str) -> Measured:
    with _served(kind, folder, url) as servers:
        loads = {case: functools.partial(load, servers[site], path) for case, (site, path) in CASES.items()}
        samples = in_turns({case: functools.partial(run, effort.seconds) for case, run in loads.items()}, effort.rounds)
        return Measured(samples, {case: _statements(run, postgres) for case, run in loads.items()})


@contextlib.contextmanager
def _served(kind: str, folder: Path, url: str) -> Iterator[dict[str, Server]]:
    """The sites, each by a server of its own."""
    with contextlib.ExitStack() as stack:

        def serve(adaptor: str, **modules: str) -> Server:
            place = folder / kind.replace(" ", "-") / (adaptor if not modules else "raw")
            place.mkdir(parents=True)
            site = Site(place)
            stack.callback(site.stop)
            site.environment["LOG_LEVEL"] = "WARNING"
            site.write(project.settings(url), project.URLS, adaptor, **modules)
            return site.serve(*KINDS[kind])

        servers = {adaptor: serve(adaptor) for adaptor in ("urls", "middleware", "wrapper")}
        # The first answer comes from a run of the checks, the second is what is measured.
        replies = [server.until(project.HEALTH, 200) for server in servers.values()]
        if len({reply.body for reply in replies}) != 1:
            raise SystemExit(f"The answers differ: {[reply.body for reply in replies]}")
        servers["raw"] = serve("urls", **project.raw(replies[-1]))
        yield servers


def _statements(run: Callable[[float], Sample], postgres: Postgres) -> float:
    with counted(postgres, DATABASE) as count:
        sample = run(_COUNTING_SECONDS)
        return count() / sample.requests


def _table(measured: Measured) -> str:
    header = ("", "requests/s", "p50 ms", "p99 ms", "statements", "threads", *(f"÷ {other}" for other in COMPARED))
    rows = [
        (
            case,
            f"{measured.median(case, lambda sample: sample.rate):,.0f}",
            milliseconds(measured.median(case, lambda sample: sample.p50)),
            milliseconds(measured.median(case, lambda sample: sample.p99)),
            f"{measured.statements[case]:.4f}",
            f"{max(sample.threads for sample in measured.samples[case])}",
            *(times(measured.ratio(case, other)) for other in COMPARED),
        )
        for case in CASES
    ]
    return table(header, rows)


def _targets(measured: Mapping[str, Measured]) -> str:
    rows = []
    for target in TARGETS:
        ratios = {kind: numbers.ratio(target.case, target.other) for kind, numbers in measured.items()}
        cells = [
            f"{times(found)} of {target.least(kind):g}: {verdict(is_met=found >= target.least(kind))}"
            for kind, found in ratios.items()
        ]
        rows.append((f"{target.case} ÷ {target.other}", *cells))
    for case in (WRAPPER, MIDDLEWARE, PLAIN):
        counts = [numbers.statements[case] for numbers in measured.values()]
        cells = [f"{count:.4f}: {verdict(is_met=count < MOST_STATEMENTS)}" for count in counts]
        rows.append((f"{case}: statements per probe", *cells))
    return table(("", *measured), rows)
