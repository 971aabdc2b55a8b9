"""Whether the database has had the migrations that the code has."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

from health_check.base import HealthCheck

from healthguard.databases import database, fetch, is_missing_table
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.status import Fault

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.migrations.loader import MigrationLoader

Rows = tuple[tuple[str, str], ...]
"""Applied migrations (app, name), in the order in which they were recorded."""

_MAX_EVIDENCE = 20


@dataclasses.dataclass
class AppliedMigrations(HealthCheck):
    """Every migration in the code is applied, in an order that can be; the database is not ahead of the code.

    It costs one SELECT; the migrations on disk are read again only when what is applied has changed.

    Args:
        alias: the alias in DATABASES. Apps whose models its routers keep out are not asked for.
    """

    alias: str = "default"

    def __post_init__(self) -> None:
        self._last: tuple[Rows, Unhealthy | Degraded | None] | None = None

    def run(self) -> None:
        """Compare the database's history with the code's.

        Raises:
            Unhealthy: a migration is pending, the history is inconsistent or cannot be read; no answer.
            Degraded: the database is ahead of the code.
        """
        with database(self.alias) as connection:
            rows = _applied(connection)
            last = self._last
            if last is None or last[0] != rows:
                last = self._last = (rows, _judge(connection, rows))
        if last[1] is not None:
            raise type(last[1]).of(last[1].problem) from None


def _applied(connection: BaseDatabaseWrapper) -> Rows:
    from django.db import DatabaseError
    from django.db.migrations.recorder import MigrationRecorder

    table = connection.ops.quote_name(MigrationRecorder.Migration._meta.db_table)
    try:
        return tuple(fetch(connection, f"SELECT app, name FROM {table} ORDER BY id"))  # noqa: S608
    except DatabaseError as error:
        if is_missing_table(error):
            return ()
        raise


def _judge(connection: BaseDatabaseWrapper, rows: Rows) -> Unhealthy | Degraded | None:
    from django.db.migrations.exceptions import (
        AmbiguityError,
        BadMigrationError,
        CircularDependencyError,
        InconsistentMigrationHistory,
        NodeNotFoundError,
    )
    from django.db.migrations.executor import MigrationExecutor

    alias = connection.alias
    try:
        executor = MigrationExecutor(connection)
        executor.loader.check_consistent_history(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except InconsistentMigrationHistory:
        return Unhealthy(
            "migrations_inconsistent",
            f"The history in database {alias!r} is inconsistent: a migration is applied, and one that it depends on "
            "is not.",
            fault=Fault.CONFIG,
            hint="Run 'python manage.py migrate': it names the two. Was a dependency added to a migration that was "
            "already applied, or a row of django_migrations deleted?",
            evidence={"alias": alias},
        )
    except (AmbiguityError, BadMigrationError, CircularDependencyError, NodeNotFoundError, ImportError) as error:
        return Unhealthy(
            "migrations_broken",
            f"The migrations in the code cannot be read or put in order ({type(error).__name__}).",
            fault=Fault.CONFIG,
            hint="Run 'python manage.py showmigrations': it names the migration.",
            evidence={"alias": alias},
        )
    pending = [(migration.app_label, migration.name) for migration, _ in plan]
    wanted = {app for app in {app for app, _ in pending} if _may_have_tables(app, alias)}
    return _pending([name for name in pending if name[0] in wanted], alias, len(rows)) or _ahead(
        executor.loader, alias, rows
    )


def _may_have_tables(app_label: str, alias: str) -> bool:
    """Whether the routers let anything of the app into the database."""
    from django.apps import apps
    from django.db import router

    models = list(apps.get_app_config(app_label).get_models(include_auto_created=True))
    if not models:
        return bool(router.allow_migrate(alias, app_label))
    return any(router.allow_migrate_model(alias, model) for model in models)


def _pending(pending: list[tuple[str, str]], alias: str, applied: int) -> Unhealthy | None:
    if not pending:
        return None
    names = [f"{app}.{name}" for app, name in pending]
    what = "migration is" if len(names) == 1 else "migrations are"
    empty = "" if applied else " None is applied: a wrong or empty database?"
    return Unhealthy(
        "migrations_pending",
        f"{len(names)} {what} not applied to database {alias!r}: {_shown(names)}.{empty}",
        fault=Fault.CONFIG,
        hint=f"Run 'python manage.py migrate{'' if alias == 'default' else f' --database={alias}'}' before this code "
        "gets traffic.",
        evidence={"alias": alias, "pending": [*names[:_MAX_EVIDENCE]], "pending_count": len(names)},
    )


def _ahead(loader: MigrationLoader, alias: str, rows: Rows) -> Degraded | None:
    """What was applied after everything that the code of an installed app knows.

    An older row that the code does not know is what a squash leaves behind once the files it replaced are gone.
    """
    known = set(loader.disk_migrations or {})
    known |= {name for migration in loader.replacements.values() for name in migration.replaces}
    newest = {app: position for position, (app, name) in enumerate(rows) if (app, name) in known}
    ahead = [
        f"{app}.{name}"
        for position, (app, name) in enumerate(rows)
        if app in (loader.migrated_apps or ()) and (app, name) not in known and position > newest.get(app, -1)
    ]
    if not ahead:
        return None
    return Degraded(
        "migrations_ahead",
        f"Database {alias!r} is ahead of the code, which does not know {_shown(ahead)}.",
        fault=Fault.CONFIG,
        hint="In a rolling deploy this passes by itself; otherwise this code is older than the database it runs on.",
        evidence={"alias": alias, "ahead": [*ahead[:_MAX_EVIDENCE]], "ahead_count": len(ahead)},
    )


def _shown(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - _MAX_EVIDENCE
    return ", ".join(names[:_MAX_EVIDENCE]) + (f" and {more} more" if more > 0 else "")
