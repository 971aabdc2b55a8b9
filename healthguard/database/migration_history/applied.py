"""The migrations that are applied to a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healthguard.database.queries import fetch, is_missing_table
from healthguard.exceptions import Degraded
from healthguard.status import Code, Fault

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

Rows = tuple[tuple[str, str], ...]
"""Applied migrations (app label, name) in the order in which they were recorded."""


def applied_migrations(connection: BaseDatabaseWrapper) -> Rows | None:
    """Return the applied migrations; None if Django has never migrated this database.

    Raises:
        django.db.Error: the error of the driver.
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
    """Return the problem of an additional database that Django has never migrated.

    It is only degraded, because the database may belong to another application.

    Args:
        alias: the database's alias in DATABASES.
    """
    return Degraded(
        Code.DATABASE_NOT_MIGRATED,
        f"Django has never migrated database {alias!r}: it has no django_migrations table and no model's table.",
        fault=Fault.CONFIG,
        hint="If the database belongs to another application, use a database router that keeps the models out of it, "
        f"or declare SERVICES without it. If it belongs to this project, check that DATABASES[{alias!r}] names the "
        "right database.",
        evidence={"alias": alias},
    )
