"""PostgreSQL: one query on the system catalogs.

The catalogs, because information_schema hides what the user has no grant on and takes ten times as long, and because
reading them does not wait behind a lock on a table.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from django.db import DatabaseError

from healthguard.databases import fetch, sqlstate_of
from healthguard.schema.live import Column, LiveSchema, Table, TableName
from healthguard.schema.types import UNBOUNDED, Shape, Spelling

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# Ordinary and partitioned tables; views, materialized views and foreign tables can be read like one.
_TABLES = "('r', 'p')"
_READABLE_KINDS = "('r', 'p', 'v', 'm', 'f')"
# Bits of a column's state.
_TAKES_NULL, _HAS_DEFAULT, _IS_UNREADABLE = 1, 2, 4
# Bits of pg_trigger.tgtype: for each row, before, on INSERT.
_BEFORE_INSERT = 1 | 2 | 4

# The names are cut by the cast, as the server cuts every name at 63 bytes. What is asked of each table and column is
# put together here, so that the rows are few, and so that nothing is sent that the caller has already seen.
_QUERY = f"""
WITH RECURSIVE wanted AS (
    SELECT position, name::name AS name,
           CASE WHEN namespace IS NULL THEN to_regclass(quote_ident(name::name))::oid
                ELSE (SELECT c.oid FROM pg_catalog.pg_class c
                      WHERE c.relname = name::name
                        AND c.relnamespace = to_regnamespace(quote_ident(namespace::name))) END AS id
    FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS asked(namespace, name, position)
), classes AS (
    SELECT c.oid AS id, c.relkind IN {_TABLES} AND c.oid NOT IN (
               SELECT tgrelid FROM pg_catalog.pg_trigger
               WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgtype & {_BEFORE_INSERT} = {_BEFORE_INSERT}
           ) AS fills_nothing,
           has_schema_privilege(c.relnamespace, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT') AS is_readable,
           has_table_privilege(c.oid, 'SELECT') AS is_all_readable
    FROM pg_catalog.pg_class c WHERE c.oid = ANY (ARRAY(SELECT id FROM wanted)) AND c.relkind IN {_READABLE_KINDS}
), bases(id, type, modifier) AS (
    SELECT oid, typbasetype, typtypmod FROM pg_catalog.pg_type WHERE typtype = 'd'
    UNION ALL
    SELECT b.id, t.typbasetype, t.typtypmod
    FROM bases b JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype = 'd'
), domains AS (
    SELECT id, json_agg(format_type(type, modifier)) AS also FROM bases GROUP BY id
), columns AS (
    SELECT a.attrelid AS id, array_agg(a.attname::text) AS names,
           array_agg(format_type(a.atttypid, a.atttypmod)) AS types,
           array_agg((CASE WHEN a.attnotnull OR t.typnotnull THEN 0 ELSE {_TAKES_NULL} END)
                     + (CASE WHEN a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL
                             THEN {_HAS_DEFAULT} ELSE 0 END)
                     + (CASE WHEN c.is_all_readable OR has_column_privilege(a.attrelid, a.attnum, 'SELECT')
                             THEN 0 ELSE {_IS_UNREADABLE} END)) AS states,
           json_object_agg(a.attname, d.also) FILTER (WHERE d.id IS NOT NULL) AS domains
    FROM classes c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.id
                   JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                   LEFT JOIN domains d ON d.id = a.atttypid
    WHERE a.attnum > 0 AND NOT a.attisdropped
    GROUP BY a.attrelid
), elsewhere AS (
    SELECT c.relname AS name, array_agg(n.nspname::text ORDER BY n.nspname) AS schemas
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = ANY (ARRAY(SELECT w.name FROM wanted w LEFT JOIN classes c USING (id) WHERE c.id IS NULL))
      AND c.relkind IN {_READABLE_KINDS} AND n.nspname !~ '^pg_|^information_schema$'
    GROUP BY c.relname
), found AS MATERIALIZED (
    SELECT w.position, c.id IS NOT NULL AS exists, c.is_readable, c.fills_nothing,
           l.names, l.types, l.states, l.domains::text,
           CASE WHEN c.id IS NULL THEN e.schemas END AS elsewhere
    FROM wanted w LEFT JOIN classes c USING (id) LEFT JOIN columns l USING (id) LEFT JOIN elsewhere e USING (name)
), summary AS (
    SELECT encode(sha256(convert_to(coalesce(string_agg(found::text, E'\\n' ORDER BY position), ''), 'UTF8')), 'hex')
           AS digest
    FROM found
)
SELECT summary.digest, found.*
FROM summary LEFT JOIN found ON summary.digest IS DISTINCT FROM %s
ORDER BY found.position
"""  # noqa: S608


def read(connection: BaseDatabaseWrapper, tables: Sequence[TableName], seen: str | None) -> LiveSchema | None:
    """What exists of ``tables``; None if it is what ``seen`` is the digest of."""
    rows = fetch(connection, _QUERY, [[table.schema for table in tables], [table.name for table in tables], seen])
    digest = str(rows[0][0])
    if digest == seen:
        return None
    found: dict[TableName, Table] = {}
    elsewhere: dict[TableName, tuple[str, ...]] = {}
    # Most columns are like another one.
    shared: dict[Column, Column] = {}
    for _, position, exists, is_readable, fills_nothing, names, types, states, domains, schemas in rows:
        if position is None:
            continue
        table = tables[position - 1]
        if exists:
            bases = json.loads(domains) if domains else {}
            columns = {
                name: shared.setdefault(column, column)
                for name, type_, state in zip(names or (), types or (), states or (), strict=True)
                for column in (_column(type_, state, bases.get(name, ())),)
            }
            found[table] = Table(columns, is_readable, fills_nothing)
        elif schemas:
            elsewhere[table] = tuple(schemas)
    return LiveSchema(digest, found, elsewhere, fold)


def _column(type_: str, state: int, also: Iterable[str]) -> Column:
    return Column(
        type_,
        tuple(also),
        is_readable=not state & _IS_UNREADABLE,
        is_nullable=bool(state & _TAKES_NULL),
        has_default=bool(state & _HAS_DEFAULT),
    )


# https://www.postgresql.org/docs/current/limits.html
_NAME_BYTES = 63


def fold(name: str) -> str:
    """``name`` as the server stores it."""
    if len(name) <= _NAME_BYTES // 4:
        return name
    return name.encode()[:_NAME_BYTES].decode(errors="ignore")


# These are spellings of a column, not types.
_SERIALS = {
    **dict.fromkeys(("smallserial", "serial2"), "smallint"),
    **dict.fromkeys(("serial", "serial4"), "integer"),
    **dict.fromkeys(("bigserial", "serial8"), "bigint"),
}
_COLLATE = re.compile(r'\s+COLLATE\s+("[^"]+"|\S+)', re.IGNORECASE)
# The names that every server has. To know their spelling spares a new process two queries.
_DJANGO = re.compile(
    r"(bigint|boolean|bytea|date|double precision|inet|integer|interval|jsonb|numeric(?=\()|smallint|text|"
    r"time|timestamp with time zone|uuid|varchar)(?:(?<=varchar)(\(\d+\))|(?<=numeric)(\(\d+, ?\d+\)))?"
)
_DJANGO_RESPELLED = {"varchar": "character varying", "time": "time without time zone"}
# A SELECT list takes 1,664.
_TYPES_AT_A_TIME = 500
# Of a text that is no type: a syntax error, a modifier that cannot be.
_NOT_READ = ("42", "22")


def canonical_types(connection: BaseDatabaseWrapper, types: Collection[str]) -> Mapping[str, str | None]:
    """How the server spells ``types``: None for a type that it does not have; without those that it cannot read.

    The server itself is asked, for it alone knows what extensions, domains and the search path make of a name.
    """
    plain = {declared: _plain(declared) for declared in types}
    known: dict[str, str | None] = {type_: name for type_ in plain.values() if (name := _of_django(type_)) is not None}
    rest = iter(sorted(set(plain.values()) - set(known)))
    while some := list(islice(rest, _TYPES_AT_A_TIME)):
        known |= _spellings(connection, some)
    return {declared: known[spelling] for declared, spelling in plain.items() if spelling in known}


def _of_django(type_: str) -> str | None:
    """The server's spelling of a type that Django's own fields have; None for any other: that is to be asked."""
    match = _DJANGO.fullmatch(type_)
    if match is None:
        return None
    name, size, digits = match.groups()
    return _DJANGO_RESPELLED.get(name, name) + (size or (digits and digits.replace(" ", "")) or "")


def _plain(declared: str) -> str:
    plain = _COLLATE.sub("", declared.strip())
    return _SERIALS.get(plain.lower(), plain)


def _spellings(connection: BaseDatabaseWrapper, types: Sequence[str]) -> dict[str, str | None]:
    try:
        asked = "SELECT t FROM unnest(%s::text[]) AS t WHERE to_regtype(t) IS NOT NULL"
        known = [str(type_) for (type_,) in fetch(connection, asked, [types])]
        return dict.fromkeys(types) | (_explained(connection, known) if known else {})
    except DatabaseError as error:
        if not (sqlstate_of(error) or "").startswith(_NOT_READ):
            raise
        # One that it cannot read is an error of the whole statement: ask for each alone.
        if len(types) == 1:
            return {}
        return {name: text for type_ in types for name, text in _spellings(connection, [type_]).items()}


def _explained(connection: BaseDatabaseWrapper, types: Sequence[str]) -> dict[str, str | None]:
    """The spelling with the modifiers, which to_regtype drops. A type's text is safe here: the server has read it."""
    # A line each, for a type may end in a comment.
    columns = "\n, ".join(f"NULL::{type_}" for type_ in types).replace("%", "%%")
    plan = fetch(connection, f"EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT {columns}\n", [])[0][0]
    output = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Output"]
    return {type_: str(text).rpartition("::")[2] for type_, text in zip(types, output, strict=True)}


_PLAIN = {
    "smallint": Shape("integer", (16.0,)),
    "integer": Shape("integer", (32.0,)),
    "bigint": Shape("integer", (64.0,)),
    "real": Shape("float", (24.0,)),
    "double precision": Shape("float", (53.0,)),
}
# And the size that they have where none is given.
_SIZED = {
    "bit varying": UNBOUNDED,
    **dict.fromkeys(
        (f"{name} {zone} time zone" for name in ("time", "timestamp") for zone in ("with", "without")), 6.0
    ),
}


@functools.lru_cache(maxsize=1024)
def shapes(type_: str) -> tuple[Shape, ...]:
    """What a column of ``type_`` can be taken for; its own shape first."""
    if type_.endswith("[]"):
        return tuple(shape._replace(kind=f"{shape.kind}[]") for shape in shapes(type_[:-2]))
    spelling = Spelling.of(type_)
    name = spelling.name
    if name in _PLAIN:
        return (_PLAIN[name],)
    if name in _SIZED:
        return (Shape(name, (spelling.size(_SIZED[name]),)),)
    if name == "numeric":
        return (Shape(name, spelling.digits()),)
    if name.startswith("interval"):
        return (Shape("interval", (spelling.size(6),), name.removeprefix("interval").strip() or None),)
    return _texts(spelling) or (Shape(name, (), spelling.restriction),)


def _texts(spelling: Spelling) -> tuple[Shape, ...]:
    size = spelling.size(UNBOUNDED)
    match spelling.name:
        case "character varying" | "text":
            return Shape("text", (size,)), Shape("character", (size,))
        case "citext":
            return Shape("citext"), Shape("text", (size,)), Shape("character", (size,))
        case "character":
            # As a text of any length it will not do: what is shorter comes back padded.
            return Shape("character", (size,)), Shape("text", (-1.0,))
    return ()
