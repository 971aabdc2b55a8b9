"""The repeated comparison of a database with the schema that it must have."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from django.db import connections

from healthguard.database.schema import generic, mysql, postgresql, sqlite
from healthguard.database.schema.comparison import Types, compare
from healthguard.database.schema.expected import Expected
from healthguard.database.schema.kinds import ABOUT_TYPES, Finding
from healthguard.database.schema.live import LiveSchema, TableName
from healthguard.database.schema.types import Shape

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


class Engine(Protocol):
    """The attributes of each engine's module."""

    ENFORCES_TYPES: bool
    """True if a column accepts only values of its type."""

    def read(
        self, connection: BaseDatabaseWrapper, tables: Sequence[TableName], last_digest: str | None
    ) -> LiveSchema | None:
        """Return the state of ``tables``, read in one query, or None if its digest is ``last_digest``."""

    def canonical_types(self, connection: BaseDatabaseWrapper, types: Collection[str]) -> Mapping[str, str | None]:
        """Return the server's spelling of ``types``, with None for a type that the server does not have.

        Types that the server cannot read are left out.
        """

    def shapes(self, type_: str) -> tuple[Shape, ...]:
        """Return the shapes that a column of ``type_`` can be used as, its own shape first."""


_MORE_READS = 4
"""The number of times that a database is read again if it seems to change while it is read."""
_ENGINES: Mapping[str, Engine] = {"postgresql": postgresql, "mysql": mysql, "sqlite": sqlite}


def enforces_types(alias: str) -> bool:
    """Return True if the columns of the database accept only values of their types."""
    return _ENGINES.get(connections[alias].vendor, generic).ENFORCES_TYPES


@dataclasses.dataclass(frozen=True, slots=True)
class Inspected:
    """The result of a comparison.

    Args:
        findings: the deviations from the expected schema, in reporting order.
        elsewhere: the schemas that contain a table of the same name, by missing table.
    """

    findings: tuple[Finding, ...] = ()
    elsewhere: Mapping[TableName, tuple[str, ...]] = dataclasses.field(default_factory=dict)


class Inspection:
    """A repeatable comparison of a database with the expected schema.

    It sends one query, and does nothing else as long as the database does not change.

    Args:
        expected: the tables and columns that must exist.
        is_written: True if rows are added and changed in the database.
    """

    def __init__(self, expected: Expected, *, is_written: bool = False) -> None:
        self.expected = expected
        self._is_written = is_written
        self._types = {
            column.type for table in expected.values() for column in table.columns.values() if column.type is not None
        }
        self._canonical: Mapping[str, str | None] | None = None
        self._last: tuple[str | None, Inspected] = (None, Inspected())

    def outcome(self, connection: BaseDatabaseWrapper) -> Inspected:
        """Compare the database with the expected schema.

        Raises:
            django.db.Error: as the driver raises it.
        """
        engine = _ENGINES.get(connection.vendor, generic)
        live = engine.read(connection, list(self.expected), self._last[0])
        if live is not None:
            findings = self._compare(connection, engine, live)
            for _ in range(_MORE_READS if findings else 0):
                newer = engine.read(connection, list(self.expected), live.digest)
                if newer is None:
                    break
                # The schema changed while the catalog was read: a table was replaced, for example.
                live, findings = newer, self._compare(connection, engine, newer)
            self._last = live.digest, Inspected(findings, live.elsewhere)
        return self._last[1]

    def _compare(self, connection: BaseDatabaseWrapper, engine: Engine, live: LiveSchema) -> tuple[Finding, ...]:
        cached = self._canonical
        if cached is not None:
            findings = self._findings(live, engine, cached)
            if not any(finding.kind in ABOUT_TYPES for finding in findings):
                return findings
            # The server may resolve a type's name differently by now, for example with another search path.
        self._canonical = engine.canonical_types(connection, self._types)
        return self._findings(live, engine, self._canonical)

    def _findings(self, live: LiveSchema, engine: Engine, canonical: Mapping[str, str | None]) -> tuple[Finding, ...]:
        types = Types(canonical, engine.shapes, is_enforced=engine.ENFORCES_TYPES)
        return compare(self.expected, live, types, is_written=self._is_written)
