"""The reading of MySQL and MariaDB schemas with one query on information_schema.

A user sees only the objects on which it has a privilege, so a table without any grant seems not to exist.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from healthguard.database.queries import fetch
from healthguard.database.schema.live import Column, LiveSchema, Table, TableName, digest_of
from healthguard.database.schema.mysql_types import INTEGERS, canonical, canonical_types, shapes

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

__all__ = ["ENFORCES_TYPES", "canonical_types", "read", "shapes"]

ENFORCES_TYPES = True

# A user with one of these privileges can write to a server that is read-only for everybody else.
_QUERY = """
SELECT 'server', NULL, NULL, NULL, VERSION(), @@sql_mode, @@lower_case_table_names,
       @@{session} OR @@global.innodb_read_only OR @@global.read_only AND NOT EXISTS (
           SELECT 1 FROM information_schema.USER_PRIVILEGES
           WHERE PRIVILEGE_TYPE IN ('SUPER', 'READ_ONLY ADMIN', 'READ ONLY ADMIN', 'CONNECTION_ADMIN')
       ), @@character_set_database, @@character_set_connection, @@max_allowed_packet <= {medium}, NULL
UNION ALL
SELECT 'table', TABLE_SCHEMA = DATABASE(), TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE LIKE '%%VIEW', AUTO_INCREMENT,
       NULL, NULL, NULL, NULL, NULL, NULL
FROM information_schema.TABLES WHERE {condition}
UNION ALL
SELECT 'view', NULL, TABLE_SCHEMA, TABLE_NAME, IS_UPDATABLE, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM information_schema.VIEWS WHERE {condition}
UNION ALL
SELECT 'trigger', NULL, EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, ACTION_STATEMENT, NULL, NULL, NULL, NULL, NULL, NULL,
       NULL
FROM information_schema.TRIGGERS
WHERE ({condition_of_triggers}) AND ACTION_TIMING = 'BEFORE' AND EVENT_MANIPULATION = 'INSERT'
UNION ALL
SELECT 'unique', NULL, TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART, NULL, NULL, NULL, NULL, NULL
FROM information_schema.STATISTICS WHERE ({condition}) AND NON_UNIQUE = 0
UNION ALL
SELECT 'reference', NULL, TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME,
       NULL, NULL, NULL, NULL, NULL
FROM information_schema.KEY_COLUMN_USAGE WHERE ({condition}) AND REFERENCED_TABLE_NAME IS NOT NULL
{json}UNION ALL
(SELECT 'column', NULL, TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, PRIVILEGES, IS_NULLABLE,
        COALESCE(COLUMN_DEFAULT, 'NULL'), EXTRA, CHARACTER_SET_NAME, ORDINAL_POSITION
 FROM information_schema.COLUMNS WHERE {condition})
"""
# On MariaDB, json is a longtext with a CHECK constraint that has the name of the column.
_JSON = """UNION ALL
SELECT 'json', NULL, CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE, NULL, NULL, NULL, NULL, NULL, NULL
FROM information_schema.CHECK_CONSTRAINTS WHERE ({condition}) AND CHECK_CLAUSE LIKE 'json_valid(%%'
"""
MEDIUM = 2**24
"""The size that no value of mediumtext and mediumblob reaches (bytes)."""
# The greatest numbers of the integer types.
_GREATEST = sorted({2 ** (bits - sign) - 1 for bits in INTEGERS.values() for sign in (0, 1)})


class _Rows(NamedTuple):
    """The rows of the query, without values that change with every INSERT.

    Args:
        server: the values that concern all tables.
        tables: the tables, the views and their parts: the kind of the row, the schema, the table, and the values.
    """

    server: tuple[str, ...]
    tables: tuple[tuple[str, ...], ...]


def read(connection: BaseDatabaseWrapper, tables: Sequence[TableName], last_digest: str | None) -> LiveSchema | None:
    """Return the state of ``tables``, or None if its digest is ``last_digest``."""
    rows = _fetch_rows(connection, tables)
    digest = digest_of(rows)
    if digest == last_digest:
        return None
    version, mode, case, read_only, charset, client_charset, has_small_packets = rows.server
    server = _Server(
        "MariaDB" in version,
        "STRICT_" in mode,
        {charset, client_charset} <= _ALL_OF_UNICODE,
        has_small_packets == "1" and client_charset == "utf8mb4",
    )
    ignores_case = case != "0"
    facts: dict[TableName, _TableFacts] = {}
    entry: _TableFacts | None
    for kind, is_current, schema, name, *state in rows.tables:
        table_name = _folded(TableName(name, schema), ignores_case)
        if kind == "table":
            entry = facts.setdefault(table_name, _TableFacts(table_name))
            if is_current == "1":
                facts[_folded(TableName(name), ignores_case)] = entry
        # The row of the table itself is missing if the table was created while the query ran.
        facts.setdefault(table_name, _TableFacts(table_name)).add(kind, state)
    return LiveSchema(
        digest,
        {
            table: entry.table(server, ignores_case)
            for table in tables
            if (entry := facts.get(_folded(table, ignores_case))) is not None
        },
        fold=str.lower,
        is_read_only=read_only == "1",
    )


def _fetch_rows(connection: BaseDatabaseWrapper, tables: Sequence[TableName]) -> _Rows:
    condition, params = _condition(tables, "TABLE_SCHEMA", "TABLE_NAME")
    of_triggers, _ = _condition(tables, "EVENT_OBJECT_SCHEMA", "EVENT_OBJECT_TABLE")
    of_checks, _ = _condition(tables, "CONSTRAINT_SCHEMA", "TABLE_NAME")
    is_mariadb = bool(getattr(connection, "mysql_is_mariadb", False))
    query = _QUERY.format(
        # MariaDB calls it tx_read_only in all versions, and transaction_read_only only since 11.1.
        session="tx_read_only" if is_mariadb else "transaction_read_only",
        medium=MEDIUM,
        condition=condition,
        condition_of_triggers=of_triggers,
        json=_JSON.format(condition=of_checks) if is_mariadb else "",
    )
    server: tuple[str, ...] = ()
    result: list[tuple[str, ...]] = []
    for row in fetch(connection, query, params * (7 if is_mariadb else 6)):
        kind, *rest = ("" if value is None else _text(value) for value in row)
        if kind == "server":
            server = tuple(rest[3:10])
            continue
        if kind == "table":
            rest[4] = str(bisect.bisect_right(_GREATEST, int(rest[4]))) if rest[4] else ""
        result.append((kind, *rest))
    return _Rows(server, tuple(sorted(result)))


def _condition(tables: Sequence[TableName], schema_column: str, name_column: str) -> tuple[str, list[str]]:
    by_schema: dict[str | None, list[str]] = {}
    for table in tables:
        by_schema.setdefault(table.schema, []).append(table.name)
    terms: list[str] = []
    params: list[str] = []
    for schema, names in by_schema.items():
        terms.append(
            f"{schema_column} = {'DATABASE()' if schema is None else '%s'}"
            f" AND {name_column} IN ({', '.join(['%s'] * len(names))})"
        )
        params += [*([] if schema is None else [schema]), *names]
    return " OR ".join(terms) or "FALSE", params


def _folded(table: TableName, ignores_case: bool) -> TableName:
    if not ignores_case:
        return table
    return TableName(table.name.lower(), table.schema and table.schema.lower())


class _Server(NamedTuple):
    """The facts that concern every column.

    Args:
        is_mariadb: True if the server is MariaDB.
        is_strict: True if it rejects a row without a value for a column that has no default.
        is_unicode: True if the database and the connection accept all of Unicode, so that a column should too.
        has_small_packets: True if it accepts no value that is too large for mediumtext and mediumblob.
    """

    is_mariadb: bool
    is_strict: bool
    is_unicode: bool
    has_small_packets: bool


class _TableFacts:
    """The facts of one table, collected from the rows."""

    def __init__(self, name: TableName) -> None:
        self._name = name
        self._is_view = False
        self._is_fixed = False
        self._counter = 0
        self._triggers = ""
        self._columns: list[Sequence[str]] = []
        self._json: set[str] = set()
        self._indexes: dict[str, set[str]] = {}
        self._partial: set[str] = set()
        self._expressions: set[str] = set()
        self._references: dict[str, set[tuple[str, str]]] = {}

    def add(self, kind: str, state: Sequence[str]) -> None:
        """Add the facts of one row."""
        match kind:
            case "table":
                self._is_view = state[0] == "1"
                self._counter = int(state[1] or 0)
            case "view":
                self._is_fixed = state[0] == "NO"
            case "trigger":
                self._triggers += state[0].lower()
            case "unique":
                self._add_unique(*state[:3])
            case "reference":
                self._references.setdefault(state[0].lower(), set()).add((state[1], state[2]))
            case "json":
                if state[1] == f"json_valid(`{state[0]}`)":
                    self._json.add(state[0])
            case "column":
                self._columns.append(state)

    def _add_unique(self, index: str, column: str, length: str) -> None:
        self._indexes.setdefault(index, set()).add(column.lower())
        if not column:
            self._expressions.add(index)
        elif length:
            self._partial.add(index)

    def table(self, server: _Server, ignores_case: bool) -> Table:
        """Return the table that the rows describe."""
        columns = {str.lower(state[0]): self._column(state, server) for state in self._columns}
        indexes = {name: frozenset(names) for name, names in self._indexes.items() if name not in self._expressions}
        return Table(
            columns,
            is_readable=any(column.is_readable for column in columns.values()),
            is_table=not self._is_view,
            insert_problem="is a read-only view" if self._is_fixed else None,
            may_insert=any("insert" in state[2].lower() for state in self._columns),
            uniques=frozenset(names for name, names in indexes.items() if name not in self._partial),
            prefix_uniques=frozenset(names for name, names in indexes.items() if name in self._partial),
            id=self._name,
            references={
                column: {_folded(TableName(name, schema), ignores_case) for schema, name in targets}
                for column, targets in self._references.items()
            },
        )

    def _column(self, state: Sequence[str], server: _Server) -> Column:
        name, type_, privileges, nullable, default, extra, charset, _ = state
        is_auto_increment = "auto_increment" in extra.lower()
        is_generated = _GENERATED.search(extra) is not None
        live_type = canonical(type_, is_mariadb=server.is_mariadb) or type_
        # Another character set may need more bytes for the same text.
        is_largest = server.has_small_packets and charset in ("", "utf8mb4")
        return Column(
            live_type,
            is_readable="select" in privileges.lower(),
            is_nullable=nullable == "YES",
            has_default=(
                # MariaDB reports NULL for no default, and 'NULL' in quotes for the text as a default.
                default != "NULL"
                or is_auto_increment
                or is_generated
                # The default of an enum is its first value.
                or type_.startswith("enum(")
                # If the server is not strict, an INSERT may omit any column.
                or not server.is_strict
            ),
            is_generated=is_generated,
            is_automatic=is_auto_increment or _CALL.search(default) is not None,
            is_exhausted=is_auto_increment and self._counter > bisect.bisect_left(_GREATEST, _greatest(type_)),
            is_filled=self._is_view or name.lower() in self._triggers,
            charset=charset if server.is_unicode and charset and charset not in _ALL_OF_UNICODE else None,
            equal_type=_LONGEST.get(live_type) if is_largest else None,
            is_json=name in self._json,
        )


_LONGEST = {"mediumtext": "longtext", "mediumblob": "longblob"}
_GENERATED = re.compile(r"\b(VIRTUAL|STORED|PERSISTENT)\b", re.IGNORECASE)
_CALL = re.compile(r"[\w`\"]\(")
_ALL_OF_UNICODE = frozenset({"utf8mb4", "utf16", "utf16le", "utf32", "gb18030", "binary"})


def _greatest(type_: str) -> int:
    """Return the greatest number of an integer type."""
    bits = INTEGERS.get(re.split(r"\W", type_, maxsplit=1)[0], 64)
    return int(2 ** (bits - (0 if "unsigned" in type_ else 1)) - 1)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
