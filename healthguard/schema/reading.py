"""The one way to the live schema: picks the engine's own query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from healthguard.schema import generic, mysql, postgresql, sqlite
from healthguard.schema.live import LiveSchema

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


class _Reader(Protocol):
    def __call__(self, connection: BaseDatabaseWrapper, tables: Sequence[str], types: Sequence[str]) -> LiveSchema: ...


_READERS: dict[str, _Reader] = {"postgresql": postgresql.read, "mysql": mysql.read, "sqlite": sqlite.read}


def read_schema(connection: BaseDatabaseWrapper, tables: Sequence[str], types: Sequence[str] = ()) -> LiveSchema:
    """What exists of ``tables``, in one query, and how the server spells the declared ``types``.

    Raises:
        django.db.Error: as the driver says it.
    """
    return _READERS.get(connection.vendor, generic.read)(connection, tables, types)
