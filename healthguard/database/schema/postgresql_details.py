"""The rarely used features of PostgreSQL tables: partitions, row-level security, triggers, other collations."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING

from healthguard.database.queries import fetch_catalog

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


@dataclasses.dataclass(frozen=True, slots=True)
class Details:
    """The details of one table.

    Args:
        may_read: True if the user needs no policy to read rows, or has one.
        insert_problem: the reason that no row can be added, as the end of a sentence; None if none is known.
        triggers: the sources and arguments of the trigger functions that run before a row is stored, in lower case.
        is_opaque: True if one of these functions is written in a language without readable source, such as C.
        nondeterministic: the numbers of the columns with a nondeterministic collation.
    """

    may_read: bool = True
    insert_problem: str | None = None
    triggers: str = ""
    is_opaque: bool = False
    nondeterministic: Set[int] = frozenset()

    def fills(self, column: str) -> bool:
        """Return True if a trigger may set the value of the column."""
        return self.is_opaque or column.lower() in self.triggers


NO_DETAILS = Details()

# A permissive policy lets a user read or add rows if it is for all roles (0), or for a role that the user has.
_POLICY = """
EXISTS (SELECT FROM pg_catalog.pg_policy p
        WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd IN ('*', '{command}')
          AND EXISTS (SELECT FROM unnest(p.polroles) AS role WHERE role = 0 OR pg_has_role(role, 'USAGE')))
"""
BEFORE_INSERT = 1 | 2 | 4
"""The bits of pg_trigger.tgtype for a row-level BEFORE INSERT trigger."""
_QUERY = f"""
SELECT c.oid,
       NOT (c.relrowsecurity AND row_security_active(c.oid)) OR {_POLICY.format(command="r")},
       NOT (c.relrowsecurity AND row_security_active(c.oid)) OR {_POLICY.format(command="a")},
       c.relkind <> 'p' OR EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = c.oid),
       t.source, t.is_opaque,
       ARRAY(SELECT a.attnum FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_collation n ON n.oid = a.attcollation
             WHERE a.attrelid = c.oid AND NOT n.collisdeterministic ORDER BY a.attnum)
FROM pg_catalog.pg_class c LEFT JOIN LATERAL (
    SELECT lower(string_agg(p.prosrc || ' ' || encode(t.tgargs, 'escape'), ' ' ORDER BY t.tgname)) AS source,
           bool_or(l.lanname IN ('c', 'internal')) AS is_opaque
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
                                 JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
      AND t.tgtype & {BEFORE_INSERT} = {BEFORE_INSERT}
) t ON true
WHERE c.oid = ANY (%s)
ORDER BY c.oid
"""  # noqa: S608
# Since this version, LIKE works with every collation.
_VERSION_WITH_LIKE = 180000


def read_details(connection: BaseDatabaseWrapper, tables: Sequence[int]) -> Mapping[int, Details]:
    """Return the details of tables by object identifier (OID)."""
    has_like = getattr(connection, "pg_version", 0) >= _VERSION_WITH_LIKE
    rows = fetch_catalog(connection, _QUERY, [list(tables)])
    return {
        table: Details(
            may_read,
            _insert_problem(may_insert=may_insert, has_partition=has_partition),
            source or "",
            bool(is_opaque),
            frozenset() if has_like else frozenset(nondeterministic),
        )
        for table, may_read, may_insert, has_partition, source, is_opaque, nondeterministic in rows
    }


def _insert_problem(*, may_insert: bool, has_partition: bool) -> str | None:
    if not has_partition:
        return "is partitioned but has no partition"
    if not may_insert:
        return "has row-level security, but no policy allows the database user to add rows"
    return None
