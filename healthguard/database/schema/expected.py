"""The schema that a database must have, according to the models or to a declaration."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Set
from typing import NamedTuple, TypeAlias

from healthguard.database.schema.live import TableName


class ExpectedColumn(NamedTuple):
    """A column that must exist.

    Args:
        type: its type as in a column definition; None if any type is accepted.
        is_handwritten: True if a person wrote the type. Then ``varchar`` accepts every length, and a type that the
            server cannot read is a finding.
        takes_null: True if NULL will be written to it.
        needs_default: True if the database must set its value.
        is_generated: True if the database computes it.
        is_automatic: True if the database gives each row a different value.
        has_collation: True if the field declares a collation, so that the effects of the collation are intended.
        references: the table that a foreign key refers to; None without a constraint.
        auto_key: the automatic key (table and column) whose values it holds and whose type no model defines; this
            column or another one. The database generates these values, and none exceeds the range of that key.
        has_check: True if the field defines a CHECK constraint, which limits its values.
    """

    type: str | None = None
    is_handwritten: bool = False
    takes_null: bool = False
    needs_default: bool = False
    is_generated: bool = False
    is_automatic: bool = False
    has_collation: bool = False
    references: TableName | None = None
    auto_key: tuple[TableName, str] | None = None
    has_check: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class ExpectedTable:
    """A table that must exist.

    Args:
        columns: the columns that it must have.
        known: all columns that an INSERT may name; None if they are not known. Any other column must not need a value
            from the INSERT.
        uniques: the sets of columns whose combined values are unique across all rows.
        is_written: True if rows are added to it; False if it is only read.
    """

    columns: Mapping[str, ExpectedColumn] = dataclasses.field(default_factory=dict)
    known: Set[str] | None = None
    uniques: Set[frozenset[str]] = frozenset()
    is_written: bool = True


Expected: TypeAlias = "Mapping[TableName, ExpectedTable]"
