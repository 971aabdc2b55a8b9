"""What a fault came to: what must be told, what was measured, and the row of both in docs/reliability.md."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence

from tests.faults.pods import Answer, Pod
from tests.sites import REPOSITORY

PAGE = REPOSITORY / "docs" / "reliability.md"
WRITE = "HEALTHGUARD_WRITE_RELIABILITY"
"""The variable with which the suite writes the page instead of comparing itself with it."""


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the page.

    Args:
        section: what it is called there.
        columns: its head.
        stable: how many of the columns must be the same every time; the others are measurements.
        name: how many of the columns name the row.
        command: the command that writes it.
    """

    section: str
    columns: tuple[str, ...]
    stable: int
    name: int = 1
    command: str = "make reliability"

    def publish(self, row: tuple[str, ...]) -> None:
        """Write the row into the page, or see that it stands there as it came out."""
        if os.environ.get(WRITE):
            PAGE.write_text(self._with_row(PAGE.read_text(), row))
            return
        kept = [known[: self.stable] for known in self._rows(PAGE.read_text())]
        assert row[: self.stable] in kept, f"{row} does not stand in {PAGE.name}: write it anew with '{self.command}'"

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
        """``page`` with ``row`` in place of the one of the same name, or behind the others."""
        start, end = self._markers
        before, found, rest = page.partition(start)
        assert found, f"{PAGE.name} has no place for {self.section}"
        rows = {known[: self.name]: known for known in self._rows(page)} | {row[: self.name]: row}
        table = [self.columns, ("---",) * len(self.columns), *rows.values()]
        lines = "".join(f"| {' | '.join(cells)} |\n" for cells in table)
        return f"{before}{start}{lines}{end}{rest.partition(end)[2]}"


SECTIONS = ("database", "provider", "check", "load")
"""The tables that the fault suite writes."""


def clear() -> None:
    """Take all its rows from the page, for those of today: one whose fault is played no more must not stay."""
    sections = "|".join(SECTIONS)
    page = re.sub(rf"(?s)(<!-- ({sections}) -->\n).*?(<!-- end of \2 -->\n)", r"\1\3", PAGE.read_text())
    PAGE.write_text(page)


FAULT_COLUMNS = (
    *("fault", "what the service tells", "answers", "other services"),
    *("slowest", "threads", "connections", "healed in"),
)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What all pods answered under one fault, at their worst.

    Args:
        section: the table it belongs to.
        fault: what was done.
        told: what the service that it concerns said: its status and the code.
        codes: the HTTP statuses that each path answered once the fault was told.
        others: the statuses of all other services.
        slowest: the slowest answer of each path (seconds).
        threads: how many threads a pod had more than before, at most.
        connections: how many connections more than before the server counted, for all pods; None where it could not
            be asked.
        healed: how long after the end of the fault the last pod was well again (seconds).
    """

    section: str
    fault: str
    told: str
    codes: dict[str, set[int]]
    others: set[str]
    slowest: dict[str, float]
    threads: int
    connections: int | None
    healed: float

    def publish(self) -> None:
        """See that it stands in the page as it came out."""
        codes = " / ".join(", ".join(map(str, sorted(self.codes[path]))) for path in Pod.PATHS)
        slowest = " / ".join(milliseconds(self.slowest[path]) for path in Pod.PATHS)
        connections = "–" if self.connections is None else f"+{self.connections}"
        Table(self.section, FAULT_COLUMNS, stable=4).publish(
            (
                *(self.fault, self.told, codes, ", ".join(sorted(self.others))),
                *(slowest, f"+{max(self.threads, 0)}", connections, f"{self.healed:.1f} s"),
            )
        )


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def slowest(answers: Sequence[Answer]) -> dict[str, float]:
    """The slowest answer of each path (seconds)."""
    return {
        path: max((answer.reply.seconds for answer in answers if answer.path == path), default=0.0)
        for path in Pod.PATHS
    }


def worst(measured: Sequence[dict[str, float]]) -> dict[str, float]:
    """The worst of several pods."""
    return {path: max(one[path] for one in measured) for path in measured[0]}
