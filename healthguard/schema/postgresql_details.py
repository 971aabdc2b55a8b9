"""The features that few tables of PostgreSQL have: partitions, row-level security, triggers, other collations."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING

from healthguard.databases import fetch

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


@dataclasses.dataclass(frozen=True, slots=True)
class Details:
    """The details of one table.

    Args:
        may_read: whether a policy lets the user see rows, where one is needed.
        refusal: why no row can be added, as the end of a sentence; None if nothing is known to prevent it.
        triggers: the sources and arguments of the functions that see a row before it is stored, in small letters.
        is_opaque: whether one of them is not written in a language that can be read.
        nondeterministic: the numbers of the columns with a nondeterministic collation.
    """

    may_read: bool = True
    refusal: str | None = None
    triggers: str = ""
    is_opaque: bool = False
    nondeterministic: Set[int] = frozenset()

    def fills(self, column: str) -> bool:
        """Return True if a trigger may give the column its value."""
        return self.is_opaque or column.lower() in self.triggers


NO_DETAILS = Details()

# A user may see and write rows by a permissive policy for all roles (0), or for a role that the user has.
_POLICY = """
EXISTS (SELECT FROM pg_catalog.pg_policy p
        WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd IN ('*', '{command}')
          AND EXISTS (SELECT FROM unnest(p.polroles) AS role WHERE role = 0 OR pg_has_role(role, 'USAGE')))
"""
BEFORE_INSERT = 1 | 2 | 4
"""The bits of pg_trigger.tgtype for a trigger that sees each row before an INSERT stores it."""
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
# From here on LIKE works with every collation.
_LIKE_IS_FINE = 180000


def read_details(connection: BaseDatabaseWrapper, tables: Sequence[int]) -> Mapping[int, Details]:
    """Return the details of tables, by the tables' numbers."""
    is_fine = getattr(connection, "pg_version", 0) >= _LIKE_IS_FINE
    return {
        table: Details(
            may_read,
            _refusal(may_add=may_add, has_place=has_place),
            source or "",
            bool(is_opaque),
            frozenset() if is_fine else frozenset(loose),
        )
        for table, may_read, may_add, has_place, source, is_opaque, loose in fetch(connection, _QUERY, [list(tables)])
    }


def _refusal(*, may_add: bool, has_place: bool) -> str | None:
    if not has_place:
        return "is partitioned and has no partition"
    if not may_add:
        return "has row-level security, and no policy lets the database user add rows"
    return None
