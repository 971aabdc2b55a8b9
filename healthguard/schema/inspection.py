"""One comparison of a database with what is expected of it, again and again."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from healthguard.schema import generic, mysql, postgresql, sqlite
from healthguard.schema.comparison import Types, compare
from healthguard.schema.expected import Expected
from healthguard.schema.kinds import ABOUT_TYPES, Finding
from healthguard.schema.live import LiveSchema, TableName
from healthguard.schema.types import Shape

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


class Engine(Protocol):
    """What each engine's file has."""

    def read(self, connection: BaseDatabaseWrapper, tables: Sequence[TableName], seen: str | None) -> LiveSchema | None:
        """What exists of ``tables``, in one query; None if it is what ``seen`` is the digest of."""

    def canonical_types(self, connection: BaseDatabaseWrapper, types: Collection[str]) -> Mapping[str, str | None]:
        """The server's spelling of ``types``: None for one that it does not have; without those it cannot read."""

    def shapes(self, type_: str) -> tuple[Shape, ...]:
        """What a column of ``type_`` can be taken for; its own shape first."""


_MORE_READS = 4
"""The number of times that a database is read again if it seems to change while it is read."""
_ENGINES: Mapping[str, Engine] = {"postgresql": postgresql, "mysql": mysql, "sqlite": sqlite}


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What a comparison came to.

    Args:
        findings: what is not as expected, in the order of the kinds.
        elsewhere: of the missing tables, the schemas where one of that name stands.
    """

    findings: tuple[Finding, ...] = ()
    elsewhere: Mapping[TableName, tuple[str, ...]] = dataclasses.field(default_factory=dict)


class Inspection:
    """Compares a database with what is expected of it: one query, and nothing else while the database stays as it is.

    Args:
        expected: what must be there.
        is_written: whether rows are added and changed there.
    """

    def __init__(self, expected: Expected, *, is_written: bool = False) -> None:
        self.expected = expected
        self._is_written = is_written
        self._types = {
            column.type for table in expected.values() for column in table.columns.values() if column.type is not None
        }
        self._canonical: Mapping[str, str | None] | None = None
        self._last: tuple[str | None, Outcome] = (None, Outcome())

    def outcome(self, connection: BaseDatabaseWrapper) -> Outcome:
        """Look at the database.

        Raises:
            django.db.Error: as the driver says it.
        """
        engine = _ENGINES.get(connection.vendor, generic)
        live = engine.read(connection, list(self.expected), self._last[0])
        if live is not None:
            findings = self._compare(connection, engine, live)
            for _ in range(_MORE_READS if findings else 0):
                again = engine.read(connection, list(self.expected), live.digest)
                if again is None:
                    break
                # It was being changed: a table was replaced while the catalog was read.
                live, findings = again, self._compare(connection, engine, again)
            self._last = live.digest, Outcome(findings, live.elsewhere)
        return self._last[1]

    def _compare(self, connection: BaseDatabaseWrapper, engine: Engine, live: LiveSchema) -> tuple[Finding, ...]:
        remembered = self._canonical
        if remembered is not None:
            findings = self._findings(live, Types(remembered, engine.shapes))
            if not any(finding.kind in ABOUT_TYPES for finding in findings):
                return findings
            # What the server makes of a type's name may have changed since it was asked: with the search path, say.
        self._canonical = engine.canonical_types(connection, self._types)
        return self._findings(live, Types(self._canonical, engine.shapes))

    def _findings(self, live: LiveSchema, types: Types) -> tuple[Finding, ...]:
        return compare(self.expected, live, types, is_written=self._is_written)
