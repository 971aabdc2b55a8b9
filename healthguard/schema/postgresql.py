"""PostgreSQL: one query on the system catalogs.

The catalogs, because information_schema hides what the user has no grant on and takes ten times as long, and because
reading them does not wait behind a lock on a table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError

from healthguard.databases import fetch
from healthguard.schema.live import Column, LiveSchema, Table, split_name

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# Tables, partitioned tables, views, materialized views and foreign tables.
_READABLE_KINDS = "('r', 'p', 'v', 'm', 'f')"

# quote_ident is fed with names cut by the cast, as the server cuts every name at 63 bytes.
_QUERY = f"""
SELECT wanted.position,
       class.oid IS NOT NULL,
       coalesce(has_any_column_privilege(class.oid, 'SELECT')
                AND has_schema_privilege(class.relnamespace, 'USAGE'), false),
       (SELECT json_agg(json_build_array(
                   a.attname,
                   format_type(a.atttypid, a.atttypmod),
                   coalesce(has_column_privilege(class.oid, a.attnum, 'SELECT'), false),
                   CASE WHEN t.typtype = 'd' THEN (
                       WITH RECURSIVE base(type, modifier) AS (
                           SELECT t.typbasetype, t.typtypmod
                           UNION ALL
                           SELECT b.typbasetype, b.typtypmod
                           FROM base JOIN pg_catalog.pg_type b ON b.oid = base.type AND b.typtype = 'd')
                       SELECT json_agg(format_type(type, modifier)) FROM base)
                   END))
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = class.oid AND a.attnum > 0 AND NOT a.attisdropped),
       (SELECT json_agg(n.nspname)
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE class.oid IS NULL AND c.relname = wanted.name::name AND c.relkind IN {_READABLE_KINDS}
              AND n.nspname !~ '^pg_|^information_schema$'),
       (SELECT json_object_agg(type, to_regtype(type)::text) FROM unnest(%s::text[]) AS type)
FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS wanted(namespace, name, position)
LEFT JOIN pg_catalog.pg_class class
       ON class.relkind IN {_READABLE_KINDS}
      AND class.oid = CASE WHEN wanted.namespace IS NULL THEN to_regclass(quote_ident(wanted.name::name))::oid
                           ELSE (SELECT c.oid FROM pg_catalog.pg_class c
                                 WHERE c.relname = wanted.name::name
                                   AND c.relnamespace = to_regnamespace(quote_ident(wanted.namespace::name))) END
ORDER BY wanted.position
"""  # noqa: S608
# These are spellings of a column, not types.
_SERIALS = {
    **dict.fromkeys(("smallserial", "serial2"), "smallint"),
    **dict.fromkeys(("serial", "serial4"), "integer"),
    **dict.fromkeys(("bigserial", "serial8"), "bigint"),
}
_COLLATE = re.compile(r'\s+COLLATE\s+("[^"]+"|\S+)', re.IGNORECASE)
_MODIFIERS = re.compile(r"\(([^()]*)\)")


def read(connection: BaseDatabaseWrapper, tables: Sequence[str], types: Sequence[str]) -> LiveSchema:
    """What exists of ``tables``; see :func:`healthguard.schema.read_schema`."""
    names = [split_name(table) for table in tables]
    spellings = {declared: _plain(declared) for declared in types}
    params = [[schema for schema, _ in names], [name for _, name in names]]
    try:
        rows = fetch(connection, _QUERY, [sorted(set(spellings.values())), *params])
        known = _json(rows[0][5]) if rows else None
    except DatabaseError:
        if not types:
            raise
        # A type that is not even a name is an error of the whole query: find it by asking for each alone.
        known = {plain: _type_alone(connection, plain) for plain in set(spellings.values())}
        rows = fetch(connection, _QUERY, [[], *params])
    found: dict[str, Table] = {}
    elsewhere: dict[str, tuple[str, ...]] = {}
    for table, (_, exists, is_readable, columns, schemas, _) in zip(tables, rows, strict=True):
        if exists:
            found[table] = Table(table, {row[0]: _column(row) for row in _json(columns) or ()}, is_readable)
        elif schemas:
            elsewhere[table] = tuple(_json(schemas))
    canonical = {declared: _with_modifiers((known or {}).get(plain), plain) for declared, plain in spellings.items()}
    return LiveSchema(found, canonical, elsewhere)


def _json(value: Any) -> Any:
    # Django leaves json columns of plain cursors as text.
    return json.loads(value) if isinstance(value, str) else value


def _column(row: Sequence[Any]) -> Column:
    name, type_, is_readable, also = row
    return Column(str(name), str(type_), tuple(also or ()), bool(is_readable))


def _plain(declared: str) -> str:
    plain = _COLLATE.sub("", declared.strip())
    return _SERIALS.get(plain.lower(), plain)


def _type_alone(connection: BaseDatabaseWrapper, plain: str) -> str | None:
    try:
        found: str | None = fetch(connection, "SELECT to_regtype(%s)::text", [plain])[0][0]
    except DatabaseError as error:
        state = getattr(error.__cause__, "sqlstate", None) or getattr(error.__cause__, "pgcode", None)
        if state is not None and state.startswith(("42", "22")):
            return None
        raise
    return found


def _with_modifiers(canonical: str | None, plain: str) -> str | None:
    """The canonical name with the declared modifiers, which to_regtype drops: ``character varying(20)[]``."""
    modifiers = _MODIFIERS.search(plain)
    if canonical is None or modifiers is None or plain.lower().startswith("float"):
        # The precision of a float only chooses between real and double precision.
        return canonical
    base, array = (canonical[:-2], "[]") if canonical.endswith("[]") else (canonical, "")
    # The server writes them behind the first word of the types of time: timestamp(3) with time zone.
    first, space, rest = base.partition(" with")
    return f"{first}({modifiers[1]}){space}{rest}{array}"
