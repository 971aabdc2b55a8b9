"""The table of servers in docs/reliability.md, and the cells that the tests record for it."""

from __future__ import annotations

from tests.faults.outcomes import Table
from tests.servers.kinds import Kind

CLAIMS = ("probes", "hung check", "draining", "one worker killed", "all workers killed", "restart")
"""The columns that must be the same in every run."""

MEASUREMENTS = ("slowest response", "shutdown")
"""The columns with measurements."""

TABLE = Table(
    "servers",
    ("server", "version", "workers", "installed as", *CLAIMS, *MEASUREMENTS),
    stable=4 + len(CLAIMS),
    command="make servers",
)


class Record:
    """The cells of the table, by server and column."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str], str] = {}

    def note(self, kind: Kind, column: str, text: str) -> None:
        """Store the text of a cell."""
        self._cells[kind.name, column] = text

    def missing(self, kind: Kind) -> list[str]:
        """Return the columns of the server's row that no test has recorded."""
        return [column for column in (*CLAIMS, *MEASUREMENTS) if (kind.name, column) not in self._cells]

    def row(self, kind: Kind) -> tuple[str, ...]:
        """Return the row of the server."""
        cells = (self._cells[kind.name, column] for column in (*CLAIMS, *MEASUREMENTS))
        return (kind.name, kind.version, str(kind.workers), kind.adaptor, *cells)
