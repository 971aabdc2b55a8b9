"""SQLite: one query on its own table of contents. It enforces no types, so that they are not compared."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from healthguard.databases import fetch
from healthguard.schema.live import Column, LiveSchema, Table, TableName, digest_of
from healthguard.schema.types import Shape

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# A column that is not hidden is 0, one of a virtual table's arguments 1; generated ones are 2 and 3.
_QUERY = """
SELECT CASE WHEN m.sql LIKE 'CREATE VIRTUAL%%' THEN 'virtual' ELSE m.type END,
       lower(m.name), c.name, c."notnull", c.dflt_value IS NOT NULL OR c.hidden > 1, c.pk, lower(c.type)
FROM {schema}.sqlite_master m LEFT JOIN pragma_table_xinfo(m.name, %s) c
WHERE m.type IN ('table', 'view') AND lower(m.name) IN (SELECT value FROM json_each(%s))
ORDER BY m.name, c.cid
"""


def read(connection: BaseDatabaseWrapper, tables: Sequence[TableName], seen: str | None) -> LiveSchema | None:
    """What exists of ``tables``; None if it is what ``seen`` is the digest of."""
    rows = {schema: _rows(connection, schema, tables) for schema in dict.fromkeys(table.schema for table in tables)}
    digest = digest_of(rows)
    if digest == seen:
        return None
    found: dict[tuple[str | None, str], dict[str, Column]] = {}
    views: set[tuple[str | None, str]] = set()
    for schema, of_schema in rows.items():
        keys: dict[str, int] = {}
        for _, table, _, _, _, key, _ in of_schema:
            keys[table] = keys.get(table, 0) + bool(key)
        for kind, table, column, is_not_null, has_default, key, type_ in of_schema:
            columns = found.setdefault((schema, table), {})
            if kind == "view":
                views.add((schema, table))
            if kind == "virtual":
                # A full-text index lists its columns without its key, which can be written to all the same.
                columns["rowid"] = Column(has_default=True)
            if column is not None:
                # Such a key is another name of the row's own number. https://www.sqlite.org/rowidtable.html
                is_number = bool(key) and keys[table] == 1 and type_ == "integer"
                columns[fold(column)] = Column(is_nullable=not is_not_null, has_default=bool(has_default) or is_number)
    return LiveSchema(
        digest,
        {
            table: Table(found[place], fills_nothing=place not in views)
            for table in tables
            if (place := (table.schema, fold(table.name))) in found
        },
        fold=fold,
    )


def _rows(connection: BaseDatabaseWrapper, schema: str | None, tables: Sequence[TableName]) -> list[tuple[Any, ...]]:
    place = "main" if schema is None else schema
    if schema is not None:
        attached = {name for (name,) in fetch(connection, "SELECT name FROM pragma_database_list")}
        if schema not in attached:
            return []
    names = json.dumps([fold(table.name) for table in tables if table.schema == schema])
    query = _QUERY.format(schema=connection.ops.quote_name(place).replace("%", "%%"))
    return fetch(connection, query, [place, names])


def canonical_types(connection: BaseDatabaseWrapper, types: Collection[str]) -> Mapping[str, str | None]:
    """Nothing: there is nothing to compare."""
    return {}


def shapes(type_: str) -> tuple[Shape, ...]:
    """Nothing: there is nothing to compare."""
    return ()


def fold(name: str) -> str:
    """``name`` as SQLite compares it: without regard to the case of ASCII letters."""
    return re.sub("[A-Z]+", lambda letters: letters[0].lower(), name)
