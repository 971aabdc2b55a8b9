"""MySQL and MariaDB: one query on information_schema.

It shows a user only what the user has some right on: a table without any grant looks as if it did not exist.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from healthguard.databases import fetch
from healthguard.schema.live import Column, LiveSchema, Table, split_name

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

_QUERY = """
SELECT TABLE_SCHEMA = DATABASE(), TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, PRIVILEGES,
       @@lower_case_table_names
FROM information_schema.COLUMNS
WHERE {condition}
"""
# https://mariadb.com/kb/en/data-types/ and https://dev.mysql.com/doc/refman/8.4/en/other-vendor-data-types.html
_SYNONYMS = {
    **dict.fromkeys(("integer", "int4"), "int"),
    **dict.fromkeys(("int8",), "bigint"),
    **dict.fromkeys(("int2",), "smallint"),
    **dict.fromkeys(("int3", "middleint"), "mediumint"),
    **dict.fromkeys(("int1",), "tinyint"),
    **dict.fromkeys(("bool", "boolean"), "tinyint(1)"),
    **dict.fromkeys(("numeric", "dec", "fixed", "number"), "decimal"),
    **dict.fromkeys(("double precision", "float8", "real"), "double"),
    **dict.fromkeys(("float4",), "float"),
    **dict.fromkeys(("character varying", "char varying", "varcharacter", "nvarchar", "varchar2"), "varchar"),
    **dict.fromkeys(("national varchar", "national character varying"), "varchar"),
    **dict.fromkeys(("character", "nchar", "national char", "national character"), "char"),
    **dict.fromkeys(("long", "long varchar", "long char varying"), "mediumtext"),
    **dict.fromkeys(("clob",), "longtext"),
    **dict.fromkeys(("raw",), "varbinary"),
    **dict.fromkeys(("long varbinary",), "mediumblob"),
    **dict.fromkeys(("serial",), "bigint unsigned"),
}
_TYPES = frozenset(
    "tinyint smallint mediumint int bigint decimal float double bit char varchar binary varbinary tinytext text "
    "mediumtext longtext tinyblob blob mediumblob longblob enum set json date time datetime timestamp year uuid inet4 "
    "inet6 geometry point linestring polygon multipoint multilinestring multipolygon geometrycollection vector "
    "xmltype".split()
)
_SPELLING = re.compile(r"(?P<name>[a-z][a-z0-9_ ]*?)\s*(?P<modifiers>\(.*\))?\s*(?P<suffix>unsigned|signed)?")
_DECORATION = re.compile(r"\s+(zerofill|(character set|charset|collate)\s+\S+)", re.IGNORECASE)
# The precision up to which a float is one; beyond it is a double.
_FLOAT_PRECISION = 24
_INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})


def read(connection: BaseDatabaseWrapper, tables: Sequence[str], types: Sequence[str]) -> LiveSchema:
    """What exists of ``tables``; see :func:`healthguard.schema.read_schema`."""
    names = {table: split_name(table) for table in tables}
    is_mariadb = bool(getattr(connection, "mysql_is_mariadb", False))
    found: dict[tuple[str | None, str], dict[str, Column]] = {}
    condition, params = _condition(list(names.values()))
    ignores_case = False
    for is_current, schema, table, column, type_, privileges, lower_case in fetch(
        connection, _QUERY.format(condition=condition), params
    ):
        ignores_case = bool(int(lower_case))
        readable = "select" in _text(privileges).lower()
        live = Column(column, canonical_type(_text(type_), is_mariadb=is_mariadb) or _text(type_), (), readable)
        for key in ((schema, table), *([(None, table)] if is_current else [])):
            found.setdefault(_folded(key, ignores_case), {})[str.lower(column)] = live
    return LiveSchema(
        {
            table: Table(table, columns, any(column.is_readable for column in columns.values()))
            for table, key in names.items()
            if (columns := found.get(_folded(key, ignores_case))) is not None
        },
        {declared: canonical_type(declared, is_mariadb=is_mariadb) for declared in types},
        fold=str.lower,
    )


def _condition(names: list[tuple[str | None, str]]) -> tuple[str, list[str]]:
    by_schema: dict[str | None, list[str]] = {}
    for schema, table in names:
        by_schema.setdefault(schema, []).append(table)
    terms: list[str] = []
    params: list[str] = []
    for schema, tables in by_schema.items():
        terms.append(
            f"TABLE_SCHEMA = {'DATABASE()' if schema is None else '%s'}"
            f" AND TABLE_NAME IN ({', '.join(['%s'] * len(tables))})"
        )
        params += [*([] if schema is None else [schema]), *tables]
    return " OR ".join(terms), params


def _folded(key: tuple[str | None, str], ignores_case: bool) -> tuple[str | None, str]:
    schema, table = key
    return (schema and schema.lower(), table.lower()) if ignores_case else key


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def canonical_type(spelling: str, *, is_mariadb: bool) -> str | None:
    """The server's spelling of a type, or None for one it does not know.

    Widths of integers mean nothing and differ between versions, but for tinyint(1), which is a boolean.
    """
    match = _SPELLING.fullmatch(" ".join(_DECORATION.sub("", spelling.lower()).split()))
    if match is None:
        return None
    name = match["name"].strip()
    modifiers = (match["modifiers"] or "").replace(" ", "")
    suffix = " unsigned" if match["suffix"] == "unsigned" else ""
    synonym = _SYNONYMS.get(name)
    if synonym is not None and ("(" in synonym or " " in synonym):
        return synonym
    name = synonym or name
    if name == "json" and is_mariadb:
        name = "longtext"
    if name not in _TYPES:
        return None
    if name == "float" and modifiers[1:-1].isdigit():
        name, modifiers = "float" if int(modifiers[1:-1]) <= _FLOAT_PRECISION else "double", ""
    if name in _INTEGERS and not (name == "tinyint" and modifiers == "(1)"):
        modifiers = ""
    return f"{name}{modifiers}{suffix}"
