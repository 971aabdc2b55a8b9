"""The reading of any other engine through Django's introspection: presence only, a few queries per table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from healthguard.database.schema.live import Column, LiveSchema, Table, TableName, digest_of
from healthguard.database.schema.types import Shape

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


ENFORCES_TYPES = False


def read(connection: BaseDatabaseWrapper, tables: Sequence[TableName], last_digest: str | None) -> LiveSchema | None:
    """Return the state of ``tables``, or None if its digest is ``last_digest``."""
    introspection = connection.introspection
    result: dict[TableName, Table] = {}
    with connection.cursor() as cursor:
        existing = {introspection.identifier_converter(name) for name in introspection.table_names(cursor, True)}
        for table in tables:
            name = introspection.identifier_converter(table.name)
            if name in existing:
                columns = introspection.get_table_description(cursor, name)
                result[table] = Table({column.name: Column(is_filled=True) for column in columns}, is_table=False)
    digest = digest_of([(table, *result[table].columns) for table in result])
    return None if digest == last_digest else LiveSchema(digest, result, fold=introspection.identifier_converter)


def canonical_types(connection: BaseDatabaseWrapper, types: Collection[str]) -> Mapping[str, str | None]:
    """Return an empty mapping, because types are not compared."""
    return {}


def shapes(type_: str) -> tuple[Shape, ...]:
    """Return no shapes, because types are not compared."""
    return ()
