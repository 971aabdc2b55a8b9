"""The requests per second of real servers: healthguard, similar tools, an empty view, and no framework."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.benchmarks.constant import callables
from tests.benchmarks.database import statements
from tests.benchmarks.load import Sample, load
from tests.benchmarks.table import milliseconds, table, times, verdict
from tests.benchmarks.turns import Effort, in_turns, ratio
from tests.support.sites import ADAPTORS, Server, Site

_UVICORN = ("--no-access-log", "--log-level", "warning")
KINDS = {
    "gunicorn gthread": ("gunicorn-gthread",),
    "uvicorn": ("uvicorn", *_UVICORN, "--http", "h11", "--loop", "asyncio"),
    "uvicorn[standard]": ("uvicorn", *_UVICORN, "--http", "httptools", "--loop", "uvloop"),
}
"""The servers and their options, with one worker each. gthread has four threads; the last has httptools and uvloop."""

RAW = "raw callable"
WRAPPER = "healthguard, wrapper"
CONSTANT = "constant middleware"
MIDDLEWARE = "healthguard, middleware"
PLAIN = "healthguard, URLs"
BARE = "bare view"
HEALTH_CHECK = "django-health-check"
WATCHMAN = "django-watchman"
ALIVE = "django-alive"

CASES = {
    RAW: ("raw", "/api/health"),
    WRAPPER: ("wrapper", "/api/health"),
    CONSTANT: ("constant", "/bare"),
    MIDDLEWARE: ("middleware", "/api/health"),
    PLAIN: ("urls", "/api/health"),
    BARE: ("urls", "/bare"),
    HEALTH_CHECK: ("urls", "/health-check?format=json"),
    WATCHMAN: ("urls", "/watchman/"),
    ALIVE: ("urls", "/alive/health/"),
}
"""The site and the path of each case."""

COMPARED = (BARE, HEALTH_CHECK, WATCHMAN, CONSTANT, RAW)

# Longer than a result is fresh, so that at least one run of the checks is counted.
_COUNTING_SECONDS = 6


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """A target: the minimum speed of ``case`` relative to ``other``, under WSGI and under ASGI."""

    case: str
    other: str
    wsgi: float
    asgi: float

    def least(self, kind: str) -> float:
        """Return the minimum for ``kind``, one of KINDS."""
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
"""The target: the largest number of database statements per probe, under load."""


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """The measurements on one kind of server.

    Args:
        samples: the samples of each case, round by round.
        statements: the database statements per probe of each case.
    """

    samples: Mapping[str, Sequence[Sample]]
    statements: Mapping[str, float]

    def median(self, case: str, number: Callable[[Sample], float]) -> float:
        """Return the median of ``number`` over all rounds."""
        return statistics.median(number(sample) for sample in self.samples[case])

    def ratio(self, case: str, other: str) -> float:
        """Return the requests per second of ``case`` divided by those of ``other``."""
        over, under = ([sample.rate for sample in self.samples[name]] for name in (case, other))
        return ratio(over, under)


def measure(effort: Effort) -> str:
    """Return the tables of the section."""
    with tempfile.TemporaryDirectory(prefix="healthguard-bench-") as folder:
        measured = {kind: _measured(kind, effort, Path(folder) / str(index)) for index, kind in enumerate(KINDS)}
    parts = [f"### {kind}\n\n{_table(numbers)}" for kind, numbers in measured.items()]
    return "\n\n".join([*parts, f"### Targets\n\n{_targets(measured)}"])


def _measured(kind: str, effort: Effort, folder: Path) -> Measured:
    with _served(kind, folder) as servers:
        loads = {case: functools.partial(load, servers[site], path) for case, (site, path) in CASES.items()}
        samples = in_turns({case: functools.partial(run, effort.seconds) for case, run in loads.items()}, effort.rounds)
        return Measured(samples, {case: _statements(run) for case, run in loads.items()})


@contextlib.contextmanager
def _served(kind: str, folder: Path) -> Iterator[dict[str, Server]]:
    """Yield the servers by site, one server for each site."""
    servers: dict[str, Server] = {}
    with contextlib.ExitStack() as stack:

        def serve(name: str, settings: str = "", adaptor: str = "urls", **modules: str) -> None:
            (folder / name).mkdir(parents=True)
            site = Site(folder / name)
            stack.callback(site.stop)
            site.environment["LOG_LEVEL"] = "WARNING"
            site.write(f"from tests.benchmarks.settings import *\n{settings}", adaptor=adaptor, **modules)
            servers[name] = site.serve(*KINDS[kind])

        for adaptor in ADAPTORS:
            serve(adaptor, adaptor=adaptor)
        replies = [servers[adaptor].until(status=200, path="/api/health") for adaptor in ADAPTORS]
        if len({reply.body for reply in replies}) != 1:
            raise SystemExit(f"The responses of the adaptors differ: {[reply.body for reply in replies]}")
        serve("constant", "MIDDLEWARE.insert(0, 'tests.benchmarks.constant.ConstantMiddleware')\n")
        # The last response is that of the wrapper, which has no headers of other middleware.
        serve("raw", **callables(replies[-1]))
        yield servers


def _statements(run: Callable[[float], Sample]) -> float:
    with statements() as count:
        sample = run(_COUNTING_SECONDS)
        return count() / sample.requests


def _table(measured: Measured) -> str:
    header = (
        "",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "statements",
        "CPU ms",
        "threads",
        *(f"÷ {other}" for other in COMPARED),
    )
    rows = [
        (
            case,
            f"{measured.median(case, lambda sample: sample.rate):,.0f}",
            milliseconds(measured.median(case, lambda sample: sample.p50)),
            milliseconds(measured.median(case, lambda sample: sample.p99)),
            f"{measured.statements[case]:.4f}",
            milliseconds(measured.median(case, lambda sample: sample.cpu)),
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
            f"{times(value)} (target {target.least(kind):g}): {verdict(is_met=value >= target.least(kind))}"
            for kind, value in ratios.items()
        ]
        rows.append((f"{target.case} ÷ {target.other}", *cells))
    for case in (WRAPPER, MIDDLEWARE, PLAIN):
        counts = [numbers.statements[case] for numbers in measured.values()]
        cells = [f"{count:.4f}: {verdict(is_met=count < MOST_STATEMENTS)}" for count in counts]
        rows.append((f"{case}: statements per probe", *cells))
    return table(("", *measured), rows)
