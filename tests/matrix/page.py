"""The page "What catches what", written from what the stages have found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.matrix.causes import Cause
from tests.matrix.stages import STAGES, Found
from tests.support.sites import REPOSITORY

PAGE = REPOSITORY / "docs" / "what-catches-what.md"
_INTRODUCTION = """\
# What catches what

Each root cause of the outage behind healthguard is put into the example project, and each stage in the life of a
deployment is run on it. A cell contains the codes by which the stage recognizes the root cause. A cell is empty if the
stage cannot find the root cause. The project without a fault passes at every stage.

The stage *pull request* only reads manifests, so it finds no fault of a database.

The stage *test* uses a test database, in which the same table or column is removed. It finds migrations that do not
create what is declared. It does not query the deployed database.

The stage *monitor* is one round of [the monitor](monitor.md). The codes are read from the message that it sends to a
webhook.

The table is written by `make matrix`, and the tests compare it with the results of real processes.
"""


def render(rows: Mapping[Cause, Mapping[str, Found]]) -> str:
    """Return the page, given what was found by cause and by the title of the stage."""
    header = ["root cause", *(stage.title for stage in STAGES)]
    table = [f"| {' | '.join(header)} |", "|---" * len(header) + "|", *(row(cause, rows[cause]) for cause in rows)]
    return "\n".join([_INTRODUCTION, *table, "", *_commands()]) + "\n"


def row(cause: Cause, found: Mapping[str, Found]) -> str:
    """Return one row of the table, with the codes by which the cause is recognized."""
    cells = [", ".join(f"`{code}`" for code in sorted(found.get(stage.title, ()))) for stage in STAGES]
    return f"| {' | '.join([cause.title, *cells])} |"


def _commands() -> Iterator[str]:
    yield "| stage | what is run |"
    yield "|---|---|"
    for stage in STAGES:
        yield f"| {stage.title} | `{stage.command}` |"
