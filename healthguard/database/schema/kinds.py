"""The findings of a schema comparison."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable

from healthguard.database.schema.live import TableName


class FindingKind(enum.StrEnum):
    """The kinds of findings, in reporting order. Each value is a problem code."""

    TABLE_MISSING = "table_missing"
    TABLE_UNREADABLE = "table_unreadable"
    COLUMN_MISSING = "column_missing"
    COLUMN_TYPE = "column_type"
    UNKNOWN_TYPE = "unknown_type"
    COLUMN_UNREADABLE = "column_unreadable"
    COLUMN_GENERATED = "column_generated"
    """A column that the database computes although the model writes to it: every INSERT and UPDATE fails."""
    DATABASE_READ_ONLY = "database_read_only"
    REMOVED_BY_MIGRATION = "removed_by_migration"
    """A table or column that the project's own migrations remove without changing the model."""
    TABLE_NOT_WRITABLE = "table_not_writable"
    COLUMN_UNEXPECTED = "column_unexpected"
    """A column that no model has, but that every INSERT would have to name."""
    COLUMN_DEFAULT = "column_default"
    COLUMN_IDENTITY = "column_identity"
    """An automatic key that no INSERT may name."""
    SEQUENCE_EXHAUSTED = "sequence_exhausted"
    SEQUENCE_DENIED = "sequence_denied"
    SEQUENCE_BEHIND = "sequence_behind"
    FOREIGN_KEY = "foreign_key"
    """A foreign key that refers to a table other than the model's, or to no table."""
    COLUMN_NOT_NULL = "column_not_null"
    COLUMN_NARROWER = "column_narrower"
    COLUMN_SCALE = "column_scale"
    """A decimal column with more decimal places than the field: the numbers that are read fail validation."""
    COLUMN_COLLATION = "column_collation"
    UNIQUE_MISSING = "unique_missing"
    UNIQUE_PREFIX = "unique_prefix"
    """A unique index that compares only the beginnings of values."""


ABOUT_TYPES = frozenset(
    {FindingKind.COLUMN_TYPE, FindingKind.COLUMN_NARROWER, FindingKind.COLUMN_SCALE, FindingKind.UNKNOWN_TYPE}
)
"""The kinds that depend on the server's spelling of types."""


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One deviation from the expected schema.

    Args:
        kind: the kind of deviation.
        table: the table that deviates.
        column: the column; None for the whole table. Several columns are in parentheses, as in SQL.
        expected: the expected value, for example a type.
        actual: the value in the database.
    """

    kind: FindingKind
    table: TableName
    column: str | None = None
    expected: str | None = None
    actual: str | None = None

    @property
    def name(self) -> str:
        """The name of the table or column: ``table`` or ``table.column``."""
        return str(self.table) if self.column is None else f"{self.table}.{self.column}"


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings in reporting order, which is the order of :class:`FindingKind`."""
    order = {kind: position for position, kind in enumerate(FindingKind)}
    return tuple(sorted(findings, key=lambda finding: order[finding.kind]))
