"""The outcomes of faults: the reports and measurements, and their rows in docs/reliability.md."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence

from tests.faults.pods import Pod, ProbeResponse
from tests.support.sites import REPOSITORY

PAGE = REPOSITORY / "docs" / "reliability.md"
WRITE = "HEALTHGUARD_WRITE_RELIABILITY"
"""The environment variable with which the suite writes the page instead of comparing its results with it."""


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the page.

    Args:
        section: the name in the markers around the table.
        columns: the headings.
        stable: the number of columns that must be the same in every run; the others are measurements.
        name: the number of columns that identify a row.
        command: the command that writes the table.
    """

    section: str
    columns: tuple[str, ...]
    stable: int
    name: int = 1
    command: str = "make reliability"

    def publish(self, row: tuple[str, ...]) -> None:
        """Write the row into the page if WRITE is set; otherwise assert that the page has it."""
        if os.environ.get(WRITE):
            PAGE.write_text(self._with_row(PAGE.read_text(), row))
            return
        documented = [documented_row[: self.stable] for documented_row in self._rows(PAGE.read_text())]
        assert row[: self.stable] in documented, (
            f"The row {row} is not in {PAGE.name}. If the change is intended, run '{self.command}' and commit the page."
        )

    def names(self) -> set[str]:
        """Return the first cell of every row of the page."""
        return {row[0] for row in self._rows(PAGE.read_text())}

    @property
    def _markers(self) -> tuple[str, str]:
        return f"<!-- {self.section} -->\n", f"<!-- end of {self.section} -->\n"

    def _rows(self, page: str) -> list[tuple[str, ...]]:
        start, end = self._markers
        lines = page.partition(start)[2].partition(end)[0].splitlines()[2:]
        return [tuple(re.split(r"\s*\|\s*", line.strip("| "))) for line in lines if line]

    def _with_row(self, page: str, row: tuple[str, ...]) -> str:
        """Return ``page`` with ``row`` replacing the row of the same name, or added at the end of the table."""
        start, end = self._markers
        before, found, rest = page.partition(start)
        assert found, f"{PAGE.name} has no marker {start.strip()}"
        rows = {old[: self.name]: old for old in self._rows(page)} | {row[: self.name]: row}
        table = [self.columns, ("---",) * len(self.columns), *rows.values()]
        lines = "".join(f"| {' | '.join(cells)} |\n" for cells in table)
        return f"{before}{start}{lines}{end}{rest.partition(end)[2]}"


SECTIONS = ("database", "provider", "check", "load")
"""The tables that the fault suite writes."""


def clear() -> None:
    """Remove all rows of the fault suite from the page, so that the row of a removed fault does not stay there."""
    sections = "|".join(SECTIONS)
    page = re.sub(rf"(?s)(<!-- ({sections}) -->\n).*?(<!-- end of \2 -->\n)", r"\1\3", PAGE.read_text())
    PAGE.write_text(page)


FAULT_COLUMNS = (
    *("fault", "reported by the service", "answers", "other services"),
    *("slowest", "threads", "connections", "recovered after"),
)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The worst responses of all pods under one fault.

    Args:
        section: the table that the outcome belongs to.
        fault: the fault.
        reported: the status and the problem code that the concerned service reported.
        codes: the HTTP status codes of each path after the fault was reported.
        others: the statuses of all other services.
        slowest: the slowest response of each path (seconds).
        threads: the largest number of additional threads of a pod.
        connections: the number of additional connections that the server counted for all pods; None if it could not be
            queried.
        recovered_after: the time from the end of the fault until the last pod was healthy again (seconds).
    """

    section: str
    fault: str
    reported: str
    codes: dict[str, set[int]]
    others: set[str]
    slowest: dict[str, float]
    threads: int
    connections: int | None
    recovered_after: float

    def publish(self) -> None:
        """Write the row of the outcome, or compare it with the page."""
        codes = " / ".join(", ".join(map(str, sorted(self.codes[path]))) for path in Pod.PATHS)
        slowest = " / ".join(milliseconds(self.slowest[path]) for path in Pod.PATHS)
        connections = "–" if self.connections is None else f"+{self.connections}"
        Table(self.section, FAULT_COLUMNS, stable=4).publish(
            (
                *(self.fault, self.reported, codes, ", ".join(sorted(self.others))),
                *(slowest, f"+{max(self.threads, 0)}", connections, f"{self.recovered_after:.1f} s"),
            )
        )


def milliseconds(seconds: float) -> str:
    """Return ``seconds`` as text, in milliseconds."""
    return f"{seconds * 1000:.0f} ms"


def slowest(responses: Sequence[ProbeResponse]) -> dict[str, float]:
    """Return the duration of the slowest response of each path (seconds)."""
    return {
        path: max((response.reply.seconds for response in responses if response.path == path), default=0.0)
        for path in Pod.PATHS
    }


def worst(measured: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the largest value of each path over several pods."""
    return {path: max(one[path] for one in measured) for path in measured[0]}
