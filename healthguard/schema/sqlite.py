"""SQLite: one query on its own table of contents. It enforces no types, so that they are not compared."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from healthguard.databases import fetch
from healthguard.schema.live import Column, LiveSchema, Table, TableName, digest_of
from healthguard.schema.types import Shape

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# A column that is not hidden is 0, one of a virtual table's arguments 1; generated ones are 2 and 3.
_QUERY = """
WITH wanted AS MATERIALIZED (
    SELECT m.name, lower(m.name) AS folded, m.sql,
           CASE WHEN m.sql LIKE 'CREATE VIRTUAL%%' THEN 'virtual' ELSE m.type END AS type
    FROM {schema}.sqlite_master m
    WHERE m.type IN ('table', 'view') AND lower(m.name) IN (SELECT value FROM json_each(%s))
)
SELECT 'database' AS kind, (SELECT file FROM pragma_database_list WHERE name = 'main') AS folded,
       (SELECT query_only FROM pragma_query_only) AS type, NULL AS a, NULL AS b, NULL AS c, NULL AS d, NULL AS e
UNION ALL
SELECT 'table', folded, type, sql LIKE '%%WITHOUT ROWID%%', NULL, NULL, NULL, NULL FROM wanted
UNION ALL
SELECT 'column', folded, c.name, c."notnull", c.dflt_value, c.hidden > 1, c.pk, lower(c.type)
FROM wanted w JOIN pragma_table_xinfo(w.name, %s) c
UNION ALL
SELECT 'unique', folded, i.name, lower(k.name), NULL, NULL, NULL, NULL
FROM wanted w JOIN pragma_index_list(w.name, %s) i JOIN pragma_index_info(i.name, %s) k
WHERE i."unique" AND NOT i.partial
UNION ALL
SELECT 'reference', folded, lower(f."from"), lower(f."table"), NULL, NULL, NULL, NULL
FROM wanted w JOIN pragma_foreign_key_list(w.name, %s) f
UNION ALL
SELECT 'trigger', lower(t.tbl_name), NULL, NULL, NULL, NULL, NULL, NULL
FROM {schema}.sqlite_master t
WHERE t.type = 'trigger' AND t.sql LIKE '%%INSTEAD OF INSERT%%'
"""


def read(connection: BaseDatabaseWrapper, tables: Sequence[TableName], seen: str | None) -> LiveSchema | None:
    """What exists of ``tables``; None if it is what ``seen`` is the digest of."""
    rows = {schema: _rows(connection, schema, tables) for schema in dict.fromkeys(table.schema for table in tables)}
    is_read_only = any(_is_read_only(connection, row) for of_schema in rows.values() for row in of_schema)
    digest = digest_of((rows, is_read_only))
    if digest == seen:
        return None
    found: dict[tuple[str | None, str], _Found] = {}
    for schema, of_schema in rows.items():
        for kind, table, *state in of_schema:
            # A trigger may belong to a table that nobody asked about.
            if kind not in ("database", "trigger") or (kind == "trigger" and (schema, table) in found):
                found.setdefault((schema, table), _Found(table)).add(kind, state)
    return LiveSchema(
        digest,
        {table: found[place].table() for table in tables if (place := (table.schema, fold(table.name))) in found},
        fold=fold,
        is_read_only=is_read_only,
    )


def _rows(connection: BaseDatabaseWrapper, schema: str | None, tables: Sequence[TableName]) -> list[tuple[Any, ...]]:
    place = "main" if schema is None else schema
    if schema is not None:
        attached = {name for (name,) in fetch(connection, "SELECT name FROM pragma_database_list")}
        if schema not in attached:
            return []
    names = json.dumps([fold(table.name) for table in tables if table.schema == schema])
    query = _QUERY.format(schema=connection.ops.quote_name(place).replace("%", "%%"))
    return fetch(connection, query, [names, *[place] * 4])


class _Found:
    """The facts of one table, collected from the rows."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._type = ""
        self._has_no_rowid = False
        self._takes_rows = False
        self._columns: list[Sequence[Any]] = []
        self._indexes: dict[str, set[str | None]] = {}
        self._references: dict[str, set[object]] = {}

    def add(self, kind: str, state: Sequence[Any]) -> None:
        """Take in one row."""
        match kind:
            case "table":
                self._type, self._has_no_rowid = state[0], bool(state[1])
            case "column":
                self._columns.append(state)
            case "unique":
                self._indexes.setdefault(state[0], set()).add(state[1])
            case "reference":
                self._references.setdefault(state[0], set()).add(state[1])
            case "trigger":
                self._takes_rows = True

    def table(self) -> Table:
        """Return the table that the rows describe."""
        is_view = self._type == "view"
        key = frozenset(fold(state[0]) for state in self._columns if state[4])
        columns = {fold(state[0]): self._column(state, is_alone=len(key) == 1) for state in self._columns}
        if self._type == "virtual":
            # A full-text index lists its columns without its key, which can be written to all the same.
            columns["rowid"] = Column(has_default=True, is_counted=True)
        uniques = {frozenset(name for name in names if name is not None) for names in self._indexes.values()}
        return Table(
            columns,
            is_table=self._type == "table",
            refusal="is a view that takes no rows" if is_view and not self._takes_rows else None,
            uniques=frozenset({*uniques, *([key] if key else [])}),
            id=self._name,
            references=self._references,
        )

    def _column(self, state: Sequence[Any], *, is_alone: bool) -> Column:
        _, is_not_null, default, is_generated, key, type_ = state
        # Such a key is another name of the row's own number. https://www.sqlite.org/rowidtable.html
        is_number = bool(key) and is_alone and type_ == "integer" and not self._has_no_rowid
        return Column(
            is_nullable=not is_not_null,
            has_default=default is not None or bool(is_generated) or is_number,
            is_generated=bool(is_generated),
            is_counted=is_number or (default is not None and _CALL.search(default) is not None),
            is_filled=self._type == "view",
        )


_CALL = re.compile(r"\w\s*\(")


def _is_read_only(connection: BaseDatabaseWrapper, row: tuple[Any, ...]) -> bool:
    """Return True if the file, or the folder in which its journal is created, cannot be written to."""
    kind, file, is_query_only, *_ = row
    if kind != "database":
        return False
    name = str(connection.settings_dict.get("NAME") or "")
    options = parse_qs(urlsplit(name).query) if name.startswith("file:") else {}
    if is_query_only or options.get("mode") == ["ro"] or options.get("immutable") == ["1"]:
        return True
    return bool(file) and not (os.access(file, os.W_OK) and os.access(os.path.dirname(file), os.W_OK))


def canonical_types(connection: BaseDatabaseWrapper, types: Collection[str]) -> Mapping[str, str | None]:
    """Nothing: there is nothing to compare."""
    return {}


def shapes(type_: str) -> tuple[Shape, ...]:
    """Nothing: there is nothing to compare."""
    return ()


def fold(name: str) -> str:
    """``name`` as SQLite compares it: without regard to the case of ASCII letters."""
    return re.sub("[A-Z]+", lambda letters: letters[0].lower(), name)
