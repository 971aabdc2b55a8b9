"""The migrations that a database has had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healthguard.databases import fetch, is_missing_table
from healthguard.exceptions import Degraded
from healthguard.status import Fault

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

Rows = tuple[tuple[str, str], ...]
"""Applied migrations (app, name), in the order in which they were recorded."""


def applied_migrations(connection: BaseDatabaseWrapper) -> Rows | None:
    """Return the applied migrations; None if Django has never migrated this database.

    Raises:
        django.db.Error: as the driver says it.
    """
    from django.db import DatabaseError
    from django.db.migrations.recorder import MigrationRecorder

    table = connection.ops.quote_name(MigrationRecorder.Migration._meta.db_table)
    try:
        return tuple(fetch(connection, f"SELECT app, name FROM {table} ORDER BY id"))  # noqa: S608
    except DatabaseError as error:
        if is_missing_table(error):
            return None
        raise


def never_migrated(alias: str) -> Degraded:
    """Return what to report of a second database that Django has never migrated, because it may be another program's.

    Args:
        alias: its alias in DATABASES.
    """
    return Degraded(
        "database_not_migrated",
        f"Django has never migrated database {alias!r}: it has no table django_migrations, and no table of a model.",
        fault=Fault.CONFIG,
        hint="If it is another application's database, keep the models out of it with a router, or declare SERVICES "
        f"without it. If it is this project's, check that DATABASES[{alias!r}] names the right one.",
        evidence={"alias": alias},
    )
