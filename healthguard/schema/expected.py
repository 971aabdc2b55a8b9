"""What must stand in a database, whoever says so: the models, or a declaration."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Set
from typing import NamedTuple, TypeAlias

from healthguard.schema.live import TableName


class ExpectedColumn(NamedTuple):
    """A column that must be there.

    Args:
        type: its type, as a column is declared; None where any will do.
        is_handwritten: whether a person wrote the type. Then ``varchar`` takes in every length, and a type that the
            server cannot read is a finding.
        takes_null: whether NULL is going to be written to it.
        needs_default: whether its value is left to the database.
        is_generated: whether the database computes it.
        is_counted: whether the database gives each row another value.
        has_collation: whether a collation of its own is declared: what follows from it is meant.
        references: the table that a foreign key refers to; None without a constraint.
        counted_by: the automatic key, this column or another, whose numbers it holds and whose type no model says:
            table and column. The database counts them, and gives out none that is too great for that key.
    """

    type: str | None = None
    is_handwritten: bool = False
    takes_null: bool = False
    needs_default: bool = False
    is_generated: bool = False
    is_counted: bool = False
    has_collation: bool = False
    references: TableName | None = None
    counted_by: tuple[TableName, str] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ExpectedTable:
    """A table that must be there.

    Args:
        columns: the columns that it must have.
        known: every column that an INSERT may name, where that is known: any other must take care of itself.
        uniques: the sets of columns of which no two rows have the same values.
        is_written: whether rows are added there, and not only read.
    """

    columns: Mapping[str, ExpectedColumn] = dataclasses.field(default_factory=dict)
    known: Set[str] | None = None
    uniques: Set[frozenset[str]] = frozenset()
    is_written: bool = True


Expected: TypeAlias = "Mapping[TableName, ExpectedTable]"
