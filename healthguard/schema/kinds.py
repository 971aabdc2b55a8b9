"""The findings of a comparison of a schema."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable

from healthguard.schema.live import TableName


class Kind(enum.StrEnum):
    """The kinds of findings, in the order in which they are reported. The value is the problem's code."""

    TABLE_MISSING = "table_missing"
    TABLE_UNREADABLE = "table_unreadable"
    COLUMN_MISSING = "column_missing"
    COLUMN_TYPE = "column_type"
    UNKNOWN_TYPE = "unknown_type"
    COLUMN_UNREADABLE = "column_unreadable"
    COLUMN_GENERATED = "column_generated"
    """One that the database computes, although the model writes it: every INSERT and UPDATE fails."""
    DATABASE_READ_ONLY = "database_read_only"
    REMOVED_BY_MIGRATION = "removed_by_migration"
    """A table or column that the project's own migrations take away without a change of the model."""
    TABLE_NOT_WRITABLE = "table_not_writable"
    COLUMN_UNEXPECTED = "column_unexpected"
    """One that no model knows, and that every INSERT would have to name."""
    COLUMN_DEFAULT = "column_default"
    COLUMN_IDENTITY = "column_identity"
    """A key that the database counts, and that no INSERT may name."""
    SEQUENCE_EXHAUSTED = "sequence_exhausted"
    SEQUENCE_DENIED = "sequence_denied"
    SEQUENCE_BEHIND = "sequence_behind"
    FOREIGN_KEY = "foreign_key"
    """One that refers to another table than the model's, or to none."""
    COLUMN_NOT_NULL = "column_not_null"
    COLUMN_NARROWER = "column_narrower"
    COLUMN_COLLATION = "column_collation"
    UNIQUE_MISSING = "unique_missing"


ABOUT_TYPES = frozenset({Kind.COLUMN_TYPE, Kind.COLUMN_NARROWER, Kind.UNKNOWN_TYPE})
"""The kinds that depend on how the server spells types."""


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as expected.

    Args:
        kind: what is wrong.
        table: where.
        column: which column; None where it is the whole table. Several in brackets, as in SQL.
        expected: what is expected: the type, for example.
        actual: what the database has in its place.
    """

    kind: Kind
    table: TableName
    column: str | None = None
    expected: str | None = None
    actual: str | None = None

    @property
    def name(self) -> str:
        """``table`` or ``table.column``."""
        return str(self.table) if self.column is None else f"{self.table}.{self.column}"


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings in the order in which their kinds are reported."""
    order = {kind: position for position, kind in enumerate(Kind)}
    return tuple(sorted(findings, key=lambda finding: order[finding.kind]))
