"""The reading of SQLite schemas with one query on sqlite_master."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from healthguard.database.queries import fetch
from healthguard.database.schema.live import Column, LiveSchema, Table, TableName, digest_of
from healthguard.database.schema.sqlite_types import canonical_types, shapes

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

__all__ = ["ENFORCES_TYPES", "canonical_types", "read", "shapes"]

ENFORCES_TYPES = False

# The values of c.hidden: 0 for an ordinary column, 1 for an argument of a virtual table, 2 and 3 for generated columns.
_QUERY = """
WITH requested AS MATERIALIZED (
    SELECT m.name, lower(m.name) AS folded, m.sql,
           CASE WHEN m.sql LIKE 'CREATE VIRTUAL%%' THEN 'virtual' ELSE m.type END AS type
    FROM {schema}.sqlite_master m
    WHERE m.type IN ('table', 'view') AND lower(m.name) IN (SELECT value FROM json_each(%s))
)
SELECT 'database' AS kind, (SELECT file FROM pragma_database_list WHERE name = 'main') AS folded,
       (SELECT query_only FROM pragma_query_only) AS type, NULL AS a, NULL AS b, NULL AS c, NULL AS d, NULL AS e
UNION ALL
SELECT 'table', folded, type, sql LIKE '%%WITHOUT ROWID%%', NULL, NULL, NULL, NULL FROM requested
UNION ALL
SELECT 'column', folded, c.name, c."notnull", c.dflt_value, c.hidden > 1, c.pk, lower(c.type)
FROM requested r JOIN pragma_table_xinfo(r.name, %s) c
UNION ALL
SELECT 'unique', folded, i.name, lower(k.name), NULL, NULL, NULL, NULL
FROM requested r JOIN pragma_index_list(r.name, %s) i JOIN pragma_index_info(i.name, %s) k
WHERE i."unique" AND NOT i.partial
UNION ALL
SELECT 'reference', folded, lower(f."from"), lower(f."table"), NULL, NULL, NULL, NULL
FROM requested r JOIN pragma_foreign_key_list(r.name, %s) f
UNION ALL
SELECT 'trigger', lower(t.tbl_name), NULL, NULL, NULL, NULL, NULL, NULL
FROM {schema}.sqlite_master t
WHERE t.type = 'trigger' AND t.sql LIKE '%%INSTEAD OF INSERT%%'
"""


def read(connection: BaseDatabaseWrapper, tables: Sequence[TableName], last_digest: str | None) -> LiveSchema | None:
    """Return the state of ``tables``, or None if its digest is ``last_digest``."""
    rows = {schema: _rows(connection, schema, tables) for schema in dict.fromkeys(table.schema for table in tables)}
    is_read_only = any(_is_read_only(connection, schema_rows) for schema_rows in rows.values() if schema_rows)
    digest = digest_of((rows, is_read_only))
    if digest == last_digest:
        return None
    facts: dict[tuple[str | None, str], _TableFacts] = {}
    for schema, schema_rows in rows.items():
        for kind, table, *state in schema_rows:
            # A trigger may belong to a table that was not requested.
            if kind not in ("database", "trigger") or (kind == "trigger" and (schema, table) in facts):
                facts.setdefault((schema, table), _TableFacts(table)).add(kind, state)
    return LiveSchema(
        digest,
        {table: facts[key].table() for table in tables if (key := (table.schema, fold(table.name))) in facts},
        fold=fold,
        is_read_only=is_read_only,
    )


def _rows(connection: BaseDatabaseWrapper, schema: str | None, tables: Sequence[TableName]) -> list[tuple[Any, ...]]:
    schema_name = "main" if schema is None else schema
    if schema is not None:
        attached = {name for (name,) in fetch(connection, "SELECT name FROM pragma_database_list")}
        if schema not in attached:
            return []
    names = json.dumps([fold(table.name) for table in tables if table.schema == schema])
    query = _QUERY.format(schema=connection.ops.quote_name(schema_name).replace("%", "%%"))
    return fetch(connection, query, [names, *[schema_name] * 4])


class _TableFacts:
    """The facts of one table, collected from the rows."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._type = ""
        self._has_no_rowid = False
        self._accepts_rows = False
        self._columns: list[Sequence[Any]] = []
        self._indexes: dict[str, set[str | None]] = {}
        self._references: dict[str, set[object]] = {}

    def add(self, kind: str, state: Sequence[Any]) -> None:
        """Add the facts of one row."""
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
                self._accepts_rows = True

    def table(self) -> Table:
        """Return the table that the rows describe."""
        is_view = self._type == "view"
        key = frozenset(fold(state[0]) for state in self._columns if state[4])
        columns = {fold(state[0]): self._column(state, is_alone=len(key) == 1) for state in self._columns}
        if self._type == "virtual":
            # A full-text index does not list its key, although the key can be written to.
            columns["rowid"] = Column(has_default=True, is_automatic=True)
        uniques = {frozenset(name for name in names if name is not None) for names in self._indexes.values()}
        return Table(
            columns,
            is_table=self._type == "table",
            insert_problem="is a read-only view" if is_view and not self._accepts_rows else None,
            uniques=frozenset({*uniques, *([key] if key else [])}),
            id=self._name,
            references=self._references,
        )

    def _column(self, state: Sequence[Any], *, is_alone: bool) -> Column:
        _, is_not_null, default, is_generated, key, type_ = state
        # Such a key is an alias of the rowid. https://www.sqlite.org/rowidtable.html
        is_rowid = bool(key) and is_alone and type_ == "integer" and not self._has_no_rowid
        return Column(
            # The computed columns of a view have no type; their values have the type of the result.
            type_ if self._type == "table" else None,
            is_nullable=not is_not_null,
            has_default=default is not None or bool(is_generated) or is_rowid,
            is_generated=bool(is_generated),
            is_automatic=is_rowid or (default is not None and _CALL.search(default) is not None),
            is_filled=self._type == "view",
        )


_CALL = re.compile(r"\w\s*\(")


def _is_read_only(connection: BaseDatabaseWrapper, rows: Sequence[tuple[Any, ...]]) -> bool:
    """Return True if the database, its file, or the folder of its journal cannot be written to."""
    _, file, is_query_only, *_ = next(row for row in rows if row[0] == "database")
    name = str(connection.settings_dict.get("NAME") or "")
    options = parse_qs(urlsplit(name).query) if name.startswith("file:") else {}
    if is_query_only or options.get("mode") == ["ro"] or options.get("immutable") == ["1"]:
        return True
    return bool(file) and not (os.access(file, os.W_OK) and os.access(os.path.dirname(file), os.W_OK))


def fold(name: str) -> str:
    """Return ``name`` as SQLite compares it: with ASCII letters in lower case."""
    # Nearly all names are ASCII, and there are many of them.
    return name.lower() if name.isascii() else re.sub("[A-Z]+", lambda letters: letters[0].lower(), name)
