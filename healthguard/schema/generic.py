"""Any other engine, through Django's introspection: presence only, and a few queries a table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from healthguard.schema.live import Column, LiveSchema, Table, TableName, digest_of
from healthguard.schema.types import Shape

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


def read(connection: BaseDatabaseWrapper, tables: Sequence[TableName], seen: str | None) -> LiveSchema | None:
    """What exists of ``tables``; None if it is what ``seen`` is the digest of."""
    introspection = connection.introspection
    found: dict[TableName, Table] = {}
    with connection.cursor() as cursor:
        existing = {introspection.identifier_converter(name) for name in introspection.table_names(cursor, True)}
        for table in tables:
            name = introspection.identifier_converter(table.name)
            if name in existing:
                columns = introspection.get_table_description(cursor, name)
                found[table] = Table({column.name: Column(is_filled=True) for column in columns}, is_table=False)
    digest = digest_of([(table, *found[table].columns) for table in found])
    return None if digest == seen else LiveSchema(digest, found, fold=introspection.identifier_converter)


def canonical_types(connection: BaseDatabaseWrapper, types: Collection[str]) -> Mapping[str, str | None]:
    """Nothing: there is nothing to compare."""
    return {}


def shapes(type_: str) -> tuple[Shape, ...]:
    """Nothing: there is nothing to compare."""
    return ()
