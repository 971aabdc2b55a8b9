"""The time that ``python -m healthguard.probe`` adds to the start of Python, with and without compiled modules."""

from __future__ import annotations

import dataclasses
import functools
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

from tests.benchmarks.table import table, verdict
from tests.benchmarks.turns import Effort, in_turns
from tests.support.probe_command import OK, PATIENT, RawServer, response

TURNS_PER_ROUND = 4
MOST_ADDED = 0.060
"""The target: a healthy probe adds at most this CPU time to an empty program (seconds)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One run of a program.

    Args:
        seconds: the duration.
        cpu: the CPU time.
    """

    seconds: float
    cpu: float


def measure(effort: Effort) -> str:
    """Return the table of the section."""
    with (
        tempfile.TemporaryDirectory(prefix="healthguard-bench-") as folder,
        RawServer(OK) as healthy,
        RawServer(response(503, '{"status": "unhealthy", "services": {"database": "unhealthy"}}')) as unhealthy,
    ):
        programs = {
            "empty program": ["-c", "pass"],
            "healthy probe": ["-m", "healthguard.probe", healthy.url(), *PATIENT],
            "unhealthy probe": ["-m", "healthguard.probe", unhealthy.url(), *PATIENT],
            "only import http.client": ["-c", "import http.client"],
            "only import Django": ["-c", "import django.http"],
        }
        options = {
            "": [],
            # An empty folder for compiled modules, into which nothing is written.
            ", not compiled": ["-B", "-X", f"pycache_prefix={folder}"],
        }
        tables = [_rows(programs, suffix, flags, effort) for suffix, flags in options.items()]
    return table(("", "ms", "CPU ms", "added ms", "added CPU ms", ""), [row for rows in tables for row in rows])


def _rows(
    programs: Mapping[str, Sequence[str]], suffix: str, options: Sequence[str], effort: Effort
) -> list[tuple[str, ...]]:
    runs = {name: functools.partial(_run, [*options, *program]) for name, program in programs.items()}
    # The first run compiles all modules and is not measured.
    in_turns(runs, 1)
    measured = in_turns(runs, effort.rounds * TURNS_PER_ROUND)
    first = next(iter(measured.values()))
    judged = None if suffix else "healthy probe"
    return [_row(name + suffix, own, first, is_judged=name == judged) for name, own in measured.items()]


def _row(name: str, runs: Sequence[Run], first: Sequence[Run], *, is_judged: bool) -> tuple[str, ...]:
    pairs = list(zip(runs, first, strict=True))
    # CPU time, because a busy machine multiplies the duration.
    cpu = statistics.median(one.cpu - other.cpu for one, other in pairs)
    return (
        name,
        f"{statistics.median(run.seconds for run in runs) * 1000:.0f}",
        f"{statistics.median(run.cpu for run in runs) * 1000:.0f}",
        f"{statistics.median(one.seconds - other.seconds for one, other in pairs) * 1000:+.0f}",
        f"{cpu * 1000:+.0f}",
        f"target {MOST_ADDED * 1000:.0f} ms: {verdict(is_met=cpu <= MOST_ADDED)}" if is_judged else "",
    )


def _run(arguments: Sequence[str]) -> Run:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-I", *arguments],
        env=_environment(),
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seconds = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Run(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "HEALTHGUARD_TOKEN"}
