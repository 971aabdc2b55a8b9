"""SQLite: one query on its own table of contents. Its types are not enforced, so that only presence counts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from healthguard.databases import fetch
from healthguard.schema.live import Column, LiveSchema, Table

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

_QUERY = """
SELECT lower(m.name), c.name, c.type
FROM sqlite_master m LEFT JOIN pragma_table_xinfo(m.name) c
WHERE m.type IN ('table', 'view') AND lower(m.name) IN (SELECT value FROM json_each(%s))
"""


def read(connection: BaseDatabaseWrapper, tables: Sequence[str], types: Sequence[str]) -> LiveSchema:
    """What exists of ``tables``; see :func:`healthguard.schema.read_schema`."""
    found: dict[str, dict[str, Column]] = {}
    for table, column, type_ in fetch(connection, _QUERY, [json.dumps([fold(table) for table in tables])]):
        columns = found.setdefault(table, {})
        if column is not None:
            columns[fold(column)] = Column(column, type_)
    return LiveSchema({table: Table(table, found[fold(table)]) for table in tables if fold(table) in found}, fold=fold)


def fold(name: str) -> str:
    """``name`` as SQLite compares it: without regard to the case of ASCII letters."""
    return re.sub("[A-Z]+", lambda letters: letters[0].lower(), name.strip('"'))
