"""What stands in a database: tables and columns, as its server tells them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
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
    """

    type: str | None = None
    also: tuple[str, ...] = ()
    is_readable: bool = True
    is_nullable: bool = True
    has_default: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """A table, view or anything else that can be read like one.

    Args:
        columns: its columns by folded name.
        is_readable: whether the connected user may read any of it.
        fills_nothing: whether an INSERT gets no other value than its own and the columns' defaults. Not so for a view,
            a foreign table, or where a trigger sees the row first.
    """

    columns: Mapping[str, Column]
    is_readable: bool = True
    fills_nothing: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class LiveSchema:
    """What was found of what was asked for.

    Args:
        digest: the same for two that are the same.
        tables: what exists, by the name that was asked for.
        elsewhere: tables that do not exist where they should, and the schemas where one of that name does.
        fold: how the engine folds the names of columns.
    """

    digest: str
    tables: Mapping[TableName, Table]
    elsewhere: Mapping[TableName, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    fold: Callable[[str], str] = str
