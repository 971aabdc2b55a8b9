"""What stands in a database: tables and columns, as its server tells them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Set
from typing import NamedTuple


def digest_of(rows: object) -> str:
    """The same for rows that are the same."""
    return hashlib.sha256(repr(rows).encode()).hexdigest()


class TableName(NamedTuple):
    """A table's name.

    Args:
        name: the name itself.
        schema: where it stands; None where the server looks for it: in the search path, or the current database.
    """

    name: str
    schema: str | None = None

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"

    @classmethod
    def of(cls, text: str) -> TableName:
        """The name that a user wrote: ``invoices``, ``billing.invoices``, ``"with.dot"``, ``billing"."invoices``."""
        if len(text) > 2 and text[0] == text[-1] == '"':
            return cls.of_quoted(text)
        for separator in ('"."', "."):
            schema, found, name = text.partition(separator)
            if found and schema and name:
                return cls(name.strip('"'), schema.strip('"'))
        return cls(text.strip('"'))

    @classmethod
    def of_quoted(cls, quoted: str) -> TableName:
        """The name that Django writes into its SQL: ``"invoices"``, ``"with.dot"``, ``"billing"."invoices"``."""
        quote = quoted[:1]
        schema, found, name = quoted[1:-1].partition(f"{quote}.{quote}")
        return cls(name, schema) if found else cls(schema)


class Column(NamedTuple):
    """A column.

    Args:
        type: its type with modifiers, in the server's own spelling; None where the engine enforces none.
        also: the types below it, where its type is a domain.
        is_readable: whether the connected user may read it.
        is_nullable: whether it takes NULL.
        has_default: whether the database gives it a value where an INSERT does not.
        is_generated: whether the database computes it, and refuses any other value.
        is_always_identity: whether the database counts it, and refuses any other value.
        is_counted: whether the database gives each row another value. A default that is a constant does not.
        is_used_up: whether the database has no value left to give.
        may_count: whether the connected user may use what counts it.
        is_filled: whether something else may give it a value before the row is stored: a trigger, for example.
        is_nondeterministic: whether LIKE fails because of its collation.
        charset: its character set, if that holds only a part of Unicode; None otherwise.
    """

    type: str | None = None
    also: tuple[str, ...] = ()
    is_readable: bool = True
    is_nullable: bool = True
    has_default: bool = False
    is_generated: bool = False
    is_always_identity: bool = False
    is_counted: bool = False
    is_used_up: bool = False
    may_count: bool = True
    is_filled: bool = False
    is_nondeterministic: bool = False
    charset: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """A table, view or anything else that can be read like one.

    Args:
        columns: its columns by folded name.
        is_readable: whether the connected user may read any of it.
        is_table: whether it is a table of this database, and not a view or a foreign table.
        is_partitioned: whether its rows are stored in partitions.
        refusal: why no row can be added, as the end of a sentence; None if nothing is known to prevent it.
        may_insert: whether the connected user has the right to add rows.
        uniques: the sets of columns that the database keeps unique, all rows of them; None if they are not known.
        id: what foreign keys refer to it by.
        references: the ids of the tables that a column's foreign keys refer to, by column, where they are known.
    """

    columns: Mapping[str, Column]
    is_readable: bool = True
    is_table: bool = True
    is_partitioned: bool = False
    refusal: str | None = None
    may_insert: bool = True
    uniques: Set[Set[str]] | None = None
    id: object = None
    references: Mapping[str, Set[object]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class LiveSchema:
    """What was found of what was asked for.

    Args:
        digest: the same for two that are the same.
        tables: what exists, by the name that was asked for.
        elsewhere: tables that do not exist where they should, and the schemas where one of that name does.
        fold: how the engine folds the names of columns.
        is_read_only: whether the database takes no writes at all.
    """

    digest: str
    tables: Mapping[TableName, Table]
    elsewhere: Mapping[TableName, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    fold: Callable[[str], str] = str
    is_read_only: bool = False
