"""The tables and columns that exist in a database, as its server reports them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Set
from typing import NamedTuple


def digest_of(rows: object) -> str:
    """Return a digest that is equal for equal rows."""
    return hashlib.sha256(repr(rows).encode()).hexdigest()


class TableName(NamedTuple):
    """A table's name.

    Args:
        name: the name without the schema.
        schema: the schema; None if the server resolves the name through the search path or the current database.
    """

    name: str
    schema: str | None = None

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"

    @classmethod
    def of(cls, text: str) -> TableName:
        """Parse a name from a user: ``invoices``, ``billing.invoices``, ``"with.dot"``, ``billing"."invoices``."""
        if len(text) > 2 and text[0] == text[-1] == '"':
            return cls.of_quoted(text)
        for separator in ('"."', "."):
            schema, matched, name = text.partition(separator)
            if matched and schema and name:
                return cls(name.strip('"'), schema.strip('"'))
        return cls(text.strip('"'))

    @classmethod
    def of_quoted(cls, quoted: str) -> TableName:
        """Parse a name as Django quotes it in SQL: ``"invoices"``, ``"with.dot"``, ``"billing"."invoices"``."""
        quote = quoted[:1]
        schema, matched, name = quoted[1:-1].partition(f"{quote}.{quote}")
        return cls(name, schema) if matched else cls(schema)


class Column(NamedTuple):
    """A column.

    Args:
        type: its type with modifiers, in the server's spelling; None if it is not known.
        base_types: the types that its domain is based on; empty if its type is not a domain.
        is_readable: True if the connected user may read it.
        is_nullable: True if it accepts NULL.
        has_default: True if the database sets its value when an INSERT does not.
        is_generated: True if the database computes it and rejects any other value.
        is_always_identity: True if the database numbers it and rejects any other value.
        is_automatic: True if the database gives each row a different value. A constant default does not.
        is_exhausted: True if the database has no value left to assign.
        may_use_sequence: True if the connected user may use the sequence that numbers it.
        is_filled: True if something else, such as a trigger, may set its value before the row is stored.
        is_nondeterministic: True if LIKE fails because of its collation.
        may_insert: True if the connected user may set its value in an INSERT.
        charset: its character set if that covers only a part of Unicode; None otherwise.
        equal_type: a larger type whose values all fit, because the server accepts no larger ones; None if there is
            none.
        is_json: True if it is a text column that accepts only JSON.
    """

    type: str | None = None
    base_types: tuple[str, ...] = ()
    is_readable: bool = True
    is_nullable: bool = True
    has_default: bool = False
    is_generated: bool = False
    is_always_identity: bool = False
    is_automatic: bool = False
    is_exhausted: bool = False
    may_use_sequence: bool = True
    is_filled: bool = False
    is_nondeterministic: bool = False
    may_insert: bool = True
    charset: str | None = None
    equal_type: str | None = None
    is_json: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """A table, a view, or any other relation that can be read like a table.

    Args:
        columns: its columns by folded name.
        is_readable: True if the connected user may read at least a part of it.
        is_table: True if it is a table of this database; False for a view or a foreign table.
        is_partitioned: True if its rows are stored in partitions.
        insert_problem: the reason that no row can be added, as the end of a sentence; None if none is known.
        may_insert: True if the connected user has the privilege to add rows.
        uniques: the sets of columns that the database keeps unique across all rows; None if they are not known.
        prefix_uniques: the sets of columns of unique indexes that compare only the beginnings of values.
        id: the value by which foreign keys refer to it.
        references: the ids of the tables that a column's foreign keys refer to, by column, if they are known.
    """

    columns: Mapping[str, Column]
    is_readable: bool = True
    is_table: bool = True
    is_partitioned: bool = False
    insert_problem: str | None = None
    may_insert: bool = True
    uniques: Set[Set[str]] | None = None
    prefix_uniques: Set[Set[str]] = frozenset()
    id: object = None
    references: Mapping[str, Set[object]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class LiveSchema:
    """The state of the requested tables in a database.

    Args:
        digest: a digest that is equal for equal states.
        tables: the tables that exist, by requested name.
        elsewhere: the schemas that contain a table of the same name, by requested table that is missing.
        fold: the function that folds a column name as the engine does.
        is_read_only: True if the database accepts no writes at all.
    """

    digest: str
    tables: Mapping[TableName, Table]
    elsewhere: Mapping[TableName, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    fold: Callable[[str], str] = str
    is_read_only: bool = False
