"""What stands in a database: tables and columns, as its server tells them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Args:
        name: its name.
        type: its type with modifiers, in the server's own spelling.
        also: the types below it, where its type is a domain.
        is_readable: whether the connected user may read it.
    """

    name: str
    type: str
    also: tuple[str, ...] = ()
    is_readable: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """A table, view or anything else that can be read like one.

    Args:
        name: its name, as it was asked for.
        columns: its columns by folded name.
        is_readable: whether the connected user may read any of it.
    """

    name: str
    columns: Mapping[str, Column]
    is_readable: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class LiveSchema:
    """What was found of what was asked for.

    Args:
        tables: what exists, by the name that was asked for.
        types: the server's spelling of each declared type; None for one that it does not know. None in place of the
            mapping where the engine does not enforce types, so that only presence counts.
        elsewhere: tables that do not exist where they should, and the schemas where one of that name does.
        fold: how the engine folds the names of columns.
    """

    tables: Mapping[str, Table]
    types: Mapping[str, str | None] | None = None
    elsewhere: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    fold: Callable[[str], str] = str


def split_name(name: str) -> tuple[str | None, str]:
    """The schema, if one is given, and the table: ``billing.invoices``, or ``billing"."invoices`` as in a db_table."""
    for separator in ('"."', "."):
        schema, found, table = name.partition(separator)
        if found and schema and table:
            return schema.strip('"'), table.strip('"')
    return None, name.strip('"')
