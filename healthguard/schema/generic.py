"""Any other engine, through Django's introspection: presence only, and a few queries a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from healthguard.schema.live import Column, LiveSchema, Table

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


def read(connection: BaseDatabaseWrapper, tables: Sequence[str], types: Sequence[str]) -> LiveSchema:
    """What exists of ``tables``; see :func:`healthguard.schema.read_schema`."""
    introspection = connection.introspection
    found: dict[str, Table] = {}
    with connection.cursor() as cursor:
        existing = {introspection.identifier_converter(name) for name in introspection.table_names(cursor, True)}
        for table in tables:
            name = introspection.identifier_converter(table)
            if name in existing:
                columns = introspection.get_table_description(cursor, name)
                found[table] = Table(table, {column.name: Column(column.name, "") for column in columns})
    return LiveSchema(found, fold=introspection.identifier_converter)
