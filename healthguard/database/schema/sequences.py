"""The PostgreSQL sequences that lag behind the keys, because restored or replicated rows do not advance them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from healthguard.database.queries import fetch, fetch_catalog
from healthguard.database.schema.expected import Expected
from healthguard.database.schema.kinds import Finding, FindingKind

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# The next value of each ascending sequence that a column owns.
_NEXT = """
SELECT position, c.oid::regclass::text,
       CASE WHEN last IS NULL THEN q.seqstart ELSE last + q.seqincrement END
FROM unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY AS request(namespace, name, column_name, position)
     JOIN pg_catalog.pg_class c
          ON c.oid = to_regclass(coalesce(quote_ident(namespace) || '.', '') || quote_ident(name))
          AND c.relkind IN ('r', 'p')
     JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = column_name AND NOT a.attisdropped
     JOIN pg_catalog.pg_depend d ON d.refobjid = c.oid AND d.refobjsubid = a.attnum AND d.deptype IN ('a', 'i')
          AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
     JOIN pg_catalog.pg_sequence q ON q.seqrelid = d.objid AND q.seqincrement > 0
     CROSS JOIN LATERAL (SELECT pg_sequence_last_value(q.seqrelid) AS last) AS s
WHERE has_sequence_privilege(q.seqrelid, 'SELECT, USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT')
ORDER BY position
"""


def sequences_behind(connection: BaseDatabaseWrapper, expected: Expected) -> Iterator[Finding]:
    """Yield a finding for each automatic key whose next value is not above its greatest value.

    This takes two queries. The second one looks up one value in the index of each table. Unlike the catalog queries,
    they wait for locked tables.

    Args:
        connection: the connection to a database. Only PostgreSQL yields findings, because other engines derive the
            next key from the greatest one.
        expected: the tables and columns of the models.

    Raises:
        django.db.Error: as the driver raises it.
    """
    keys = [
        (table, name)
        for table, expected_table in expected.items()
        for name, key in expected_table.columns.items()
        if key.is_automatic
    ]
    if connection.vendor != "postgresql" or not keys:
        return
    parameters = [[table.schema for table, _ in keys], [table.name for table, _ in keys], [name for _, name in keys]]
    rows = fetch_catalog(connection, _NEXT, parameters)
    sequences = [(keys[position - 1], table, next_value) for position, table, next_value in rows]
    if not sequences:
        return
    # The server has already quoted the names of the tables.
    greatest = " UNION ALL ".join(
        f"SELECT {index}, max({connection.ops.quote_name(name)}) FROM {table}".replace("%", "%%")  # noqa: S608
        for index, ((_, name), table, _) in enumerate(sequences)
    )
    for index, value in fetch(connection, greatest, []):
        (table, name), _, next_value = sequences[index]
        if value is not None and value >= next_value:
            yield Finding(FindingKind.SEQUENCE_BEHIND, table, name)
