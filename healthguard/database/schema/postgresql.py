"""The reading of PostgreSQL schemas with one query on the system catalogs.

The query uses the catalogs because information_schema hides objects that the user has no grant on and takes ten times
as long. Reading the catalogs also does not wait for locked tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from healthguard.database.queries import fetch_catalog
from healthguard.database.schema.live import Column, LiveSchema, Table, TableName, digest_of
from healthguard.database.schema.postgresql_details import BEFORE_INSERT, NO_DETAILS, Details, read_details
from healthguard.database.schema.postgresql_types import ENUM, canonical_types, shapes

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

__all__ = ["ENFORCES_TYPES", "canonical_types", "read", "shapes"]

ENFORCES_TYPES = True

# Ordinary and partitioned tables. Views, materialized views and foreign tables can be read like a table.
_TABLES = "('r', 'p')"
_READABLE_KINDS = "('r', 'p', 'v', 'm', 'f')"
# The bits of a table's state. Those of the second line require a second query.
_IS_READABLE, _IS_TABLE, _MAY_INSERT, _IS_FIXED_VIEW = 1, 2, 4, 8
_IS_PARTITIONED, _HAS_POLICIES, _HAS_TRIGGER, _HAS_COLLATION = 16, 32, 64, 128
_NEEDS_DETAILS = _IS_PARTITIONED | _HAS_POLICIES | _HAS_TRIGGER | _HAS_COLLATION
# The bits of a column's state. The query sets those of the first line and the last; the others are set in Python.
_TAKES_NULL, _HAS_DEFAULT, _IS_UNREADABLE, _IS_GENERATED, _IS_IDENTITY, _IS_AUTOMATIC = 1, 2, 4, 8, 16, 32
_IS_FILLED, _IS_NONDETERMINISTIC, _IS_EXHAUSTED, _IS_DENIED = 64, 128, 256, 512
_IS_NOT_INSERTABLE = 1024
# The bit of pg_relation_is_updatable() for INSERT: 1 << CMD_INSERT.
_INSERT = 8
# Only a function call can give each row a different value. 0, 2 + 3 and '7'::bigint cannot, with or without casts.
# The query does not read the expression as SQL text, because the server locks the table to produce it.
_CASTS = "313|314|480|481|714|754"
_CALL = f"':funcid (?!({_CASTS}) )'"
# The locks that pg_sequence_last_value() would wait for.
_LOCKS = "('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"

# The query resolves names itself. to_regclass() may find a table that was created a moment ago and that this query does
# not see yet. For a table that was dropped a moment ago, the privilege functions return NULL.
# The casts to name cut names at 63 bytes, as the server cuts every name.
# The query aggregates the columns of each table, so that it returns few rows, and it returns no rows of tables if their
# digest is the one that the caller already has.
_QUERY = f"""
WITH RECURSIVE path AS (
    SELECT array_agg(n.oid ORDER BY position) AS ids
    FROM unnest(current_schemas(true)) WITH ORDINALITY AS s(name, position)
         JOIN pg_catalog.pg_namespace n ON n.nspname = s.name
), requested AS (
    SELECT position, name::name AS name,
           CASE WHEN namespace IS NULL
                THEN (SELECT c.oid FROM pg_catalog.pg_class c
                      WHERE c.relname = name::name AND c.relnamespace = ANY ((SELECT ids FROM path)::oid[])
                      ORDER BY array_position((SELECT ids FROM path), c.relnamespace) LIMIT 1)
                ELSE (SELECT c.oid FROM pg_catalog.pg_class c
                      WHERE c.relname = name::name
                        AND c.relnamespace = to_regnamespace(quote_ident(namespace::name))) END AS id
    FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS request(namespace, name, position)
), classes AS (
    SELECT c.oid AS id, coalesce(has_table_privilege(c.oid, 'SELECT'), true) AS is_all_readable,
           coalesce(has_table_privilege(c.oid, 'INSERT'), true) AS is_all_insertable,
           (CASE WHEN has_schema_privilege(c.relnamespace, 'USAGE')
                      AND coalesce(has_any_column_privilege(c.oid, 'SELECT'), true)
                 THEN {_IS_READABLE} ELSE 0 END)
           + (CASE WHEN c.relkind IN {_TABLES} THEN {_IS_TABLE} ELSE 0 END)
           + (CASE WHEN coalesce(has_any_column_privilege(c.oid, 'INSERT'), true) THEN {_MAY_INSERT} ELSE 0 END)
           + (CASE WHEN c.relkind IN {_TABLES} OR pg_relation_is_updatable(c.oid, true) & {_INSERT} <> 0
                   THEN 0 ELSE {_IS_FIXED_VIEW} END)
           + (CASE WHEN c.relkind = 'p' THEN {_IS_PARTITIONED} ELSE 0 END)
           + (CASE WHEN c.relrowsecurity AND row_security_active(c.oid) THEN {_HAS_POLICIES} ELSE 0 END)
           + (CASE WHEN c.relhastriggers AND c.oid IN (
                      SELECT tgrelid FROM pg_catalog.pg_trigger
                      WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')
                        AND tgtype & {BEFORE_INSERT} = {BEFORE_INSERT})
                   THEN {_HAS_TRIGGER} ELSE 0 END) AS state
    FROM pg_catalog.pg_class c WHERE c.oid = ANY (ARRAY(SELECT id FROM requested)) AND c.relkind IN {_READABLE_KINDS}
), bases(id, type, modifier) AS (
    SELECT oid, typbasetype, typtypmod FROM pg_catalog.pg_type WHERE typtype = 'd'
    UNION ALL
    SELECT b.id, t.typbasetype, t.typtypmod
    FROM bases b JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype = 'd'
), domains AS (
    SELECT id, json_agg(format_type(type, modifier)) AS base_types FROM bases GROUP BY id
), columns AS (
    SELECT a.attrelid AS id, array_agg(a.attname::text) AS names, array_agg(a.attnum) AS numbers,
           array_agg(format_type(a.atttypid, a.atttypmod)) AS types,
           array_agg((CASE WHEN a.attnotnull OR t.typnotnull THEN 0 ELSE {_TAKES_NULL} END)
                     + (CASE WHEN a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL
                             THEN {_HAS_DEFAULT} ELSE 0 END)
                     + (CASE WHEN c.is_all_readable OR has_column_privilege(a.attrelid, a.attnum, 'SELECT')
                             THEN 0 ELSE {_IS_UNREADABLE} END)
                     + (CASE WHEN c.is_all_insertable OR has_column_privilege(a.attrelid, a.attnum, 'INSERT')
                             THEN 0 ELSE {_IS_NOT_INSERTABLE} END)
                     + (CASE WHEN a.attgenerated <> '' THEN {_IS_GENERATED} ELSE 0 END)
                     + (CASE a.attidentity WHEN '' THEN 0 WHEN 'a' THEN {_IS_IDENTITY | _IS_AUTOMATIC}
                                           ELSE {_IS_AUTOMATIC} END)
                     + (CASE WHEN a.attidentity = '' AND (t.typdefault IS NOT NULL OR a.atthasdef AND (
                                      SELECT d.adbin::text ~ {_CALL} FROM pg_catalog.pg_attrdef d
                                      WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum))
                             THEN {_IS_AUTOMATIC} ELSE 0 END)) AS states,
           json_object_agg(a.attname, CASE t.typtype WHEN 'e' THEN '["{ENUM}"]' ELSE d.base_types END)
               FILTER (WHERE d.id IS NOT NULL OR t.typtype = 'e') AS domains,
           bool_or(a.attcollation NOT IN (0, 100, 950)) AS has_collation
    FROM classes c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.id
                   JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                   LEFT JOIN domains d ON d.id = a.atttypid
    WHERE a.attnum > 0 AND NOT a.attisdropped
    GROUP BY a.attrelid
), sequences AS (
    SELECT d.refobjid AS id,
           array_agg(d.refobjsubid) FILTER (
               WHERE d.deptype = 'a' AND NOT has_sequence_privilege(q.seqrelid, 'USAGE, UPDATE'))
               AS denied,
           array_agg(d.refobjsubid) FILTER (
               WHERE NOT q.seqcycle AND q.seqincrement > 0
                 AND (CASE WHEN has_sequence_privilege(q.seqrelid, 'SELECT, USAGE') AND NOT pg_is_in_recovery()
                                AND q.seqrelid <> ALL (ARRAY(SELECT relation FROM pg_catalog.pg_locks
                                                             WHERE mode IN {_LOCKS} AND pid <> pg_backend_pid()
                                                               AND relation IS NOT NULL))
                           THEN pg_sequence_last_value(q.seqrelid) END) > least(
                     q.seqmax, CASE a.atttypid WHEN 21 THEN {2**15 - 1} WHEN 23 THEN {2**31 - 1} ELSE {2**63 - 1} END
                 ) - q.seqincrement) AS exhausted
    FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_sequence q ON q.seqrelid = d.objid
                                JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
      AND d.refobjid = ANY (ARRAY(SELECT id FROM classes))
    GROUP BY d.refobjid
), uniques AS (
    SELECT i.indrelid AS id, array_agg(i.indkey::text || ',' || i.indnkeyatts) AS keys
    FROM pg_catalog.pg_index i
    WHERE i.indrelid = ANY (ARRAY(SELECT id FROM classes)) AND i.indisunique AND i.indisvalid AND i.indisready
      AND i.indislive AND i.indpred IS NULL AND i.indexprs IS NULL
    GROUP BY i.indrelid
), elsewhere AS (
    SELECT c.relname AS name, array_agg(n.nspname::text ORDER BY n.nspname) AS schemas
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = ANY (ARRAY(SELECT r.name FROM requested r LEFT JOIN classes c USING (id) WHERE c.id IS NULL))
      AND c.relkind IN {_READABLE_KINDS} AND n.nspname !~ '^pg_|^information_schema$'
    GROUP BY c.relname
), found AS MATERIALIZED (
    SELECT r.position, c.id, c.state + (CASE WHEN l.has_collation THEN {_HAS_COLLATION} ELSE 0 END) AS state,
           l.names, l.numbers, l.types, l.states, l.domains::text, s.denied, s.exhausted,
           u.keys AS uniques, CASE WHEN c.id IS NULL THEN e.schemas END AS elsewhere
    FROM requested r LEFT JOIN classes c USING (id) LEFT JOIN columns l USING (id) LEFT JOIN sequences s USING (id)
                  LEFT JOIN uniques u USING (id) LEFT JOIN elsewhere e USING (name)
), summary AS (
    SELECT current_setting('transaction_read_only') = 'on' AS is_read_only,
           array_agg(id) FILTER (WHERE state & {_NEEDS_DETAILS} <> 0) AS detailed,
           encode(sha256(convert_to(
               current_setting('transaction_read_only')
               || coalesce(string_agg(found::text, E'\\n' ORDER BY position), ''), 'UTF8')), 'hex') AS digest
    FROM found
)
SELECT summary.*, found.* FROM summary LEFT JOIN found ON summary.digest IS DISTINCT FROM %s
ORDER BY found.position
"""  # noqa: S608


def read(connection: BaseDatabaseWrapper, tables: Sequence[TableName], last_digest: str | None) -> LiveSchema | None:
    """Return the state of ``tables``, or None if its digest is ``last_digest``."""
    names = [[table.schema for table in tables], [table.name for table in tables]]
    # A digest consists of that of the query's rows and, after a space, that of the details, if there are any.
    last_rows, _, last_details = (last_digest or "").partition(" ")
    rows = fetch_catalog(connection, _QUERY, [*names, last_rows])
    is_read_only, detailed, digest, *_ = rows[0]
    details = read_details(connection, detailed) if detailed else {}
    digest_of_details = digest_of(details) if details else ""
    if (digest, digest_of_details) == (last_rows, last_details):
        return None
    if digest == last_rows:
        rows = fetch_catalog(connection, _QUERY, [*names, None])
    existing: dict[TableName, Table] = {}
    elsewhere: dict[TableName, tuple[str, ...]] = {}
    shared: dict[tuple[object, ...], Column] = {}
    for row in rows:
        position, *values, schemas = row[3:]
        if position is None:
            continue
        table = tables[position - 1]
        if values[0] is not None:
            existing[table] = _table(_Row(*values), details.get(values[0], NO_DETAILS), shared)
        elif schemas:
            elsewhere[table] = tuple(schemas)
    return LiveSchema(f"{digest} {digest_of_details}", existing, elsewhere, fold, is_read_only=bool(is_read_only))


class _Row(NamedTuple):
    """The columns of the query for one table."""

    id: int
    state: int
    names: Sequence[str] | None
    numbers: Sequence[int] | None
    types: Sequence[str] | None
    states: Sequence[int] | None
    domains: str | None
    denied: Sequence[int] | None
    exhausted: Sequence[int] | None
    uniques: Sequence[str] | None


def _table(row: _Row, details: Details, shared: dict[tuple[object, ...], Column]) -> Table:
    by_number = dict(zip(row.numbers or (), row.names or (), strict=True))
    bases = json.loads(row.domains) if row.domains else {}
    columns: dict[str, Column] = {}
    for (number, name), type_, state in zip(by_number.items(), row.types or (), row.states or (), strict=True):
        flags = 0
        if not row.state & _IS_TABLE or details.fills(name):
            flags |= _IS_FILLED
        if number in details.nondeterministic:
            flags |= _IS_NONDETERMINISTIC
        if row.exhausted and number in row.exhausted:
            flags |= _IS_EXHAUSTED
        if row.denied and number in row.denied:
            flags |= _IS_DENIED
        # Most columns are equal to another one, so they share an object.
        key = (type_, state | flags, *bases.get(name, ()))
        column = shared.get(key)
        if column is None:
            column = shared[key] = _column(type_, state | flags, bases.get(name, ()))
        columns[name] = column
    return Table(
        columns,
        is_readable=bool(row.state & _IS_READABLE) and details.may_read,
        is_table=bool(row.state & _IS_TABLE),
        is_partitioned=bool(row.state & _IS_PARTITIONED),
        insert_problem="is a read-only view" if row.state & _IS_FIXED_VIEW else details.insert_problem,
        may_insert=bool(row.state & _MAY_INSERT),
        uniques=frozenset(_columns_of(key, by_number) for key in row.uniques or ()),
    )


def _column(type_: str, state: int, base_types: Iterable[str]) -> Column:
    return Column(
        type_,
        tuple(base_types),
        is_readable=not state & _IS_UNREADABLE,
        is_nullable=bool(state & _TAKES_NULL),
        has_default=bool(state & _HAS_DEFAULT),
        is_generated=bool(state & _IS_GENERATED),
        is_always_identity=bool(state & _IS_IDENTITY),
        is_automatic=bool(state & _IS_AUTOMATIC),
        is_filled=bool(state & _IS_FILLED),
        is_nondeterministic=bool(state & _IS_NONDETERMINISTIC),
        is_exhausted=bool(state & _IS_EXHAUSTED),
        may_use_sequence=not state & _IS_DENIED,
        may_insert=not state & _IS_NOT_INSERTABLE,
    )


def _columns_of(key: str, by_number: Mapping[int, str]) -> frozenset[str]:
    """Return the key columns of an index, without its INCLUDE columns."""
    numbers, _, count = key.partition(",")
    return frozenset(by_number[int(number)] for number in numbers.split()[: int(count)])


# https://www.postgresql.org/docs/current/limits.html
_NAME_BYTES = 63


def fold(name: str) -> str:
    """Return ``name`` as the server stores it: cut at 63 bytes."""
    if len(name) <= _NAME_BYTES // 4:
        return name
    return name.encode()[:_NAME_BYTES].decode(errors="ignore")
