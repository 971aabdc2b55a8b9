"""A check that the migrations in the code are applied to the database."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from healthguard.checks.base import SABOTAGED_NAME, Check
from healthguard.database.queries import database
from healthguard.database.schema import WHICH_DATABASE
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.runtime.lists import MAX_SHOWN, truncated_list
from healthguard.service.sabotages import Sabotage
from healthguard.status import Code, Fault

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from healthguard.database.migration_history import Comparison, Key, MigrationFiles, Rows


@dataclasses.dataclass(repr=False)
class AppliedMigrations(Check):
    """A check that every migration in the code is applied and that the database is not ahead of the code.

    The applied migrations must also form a consistent history. The check costs one SELECT. The migrations in the code
    are compared again only if the applied migrations have changed. They are imported only if the names and texts of
    their files do not prove that everything is applied.

    Args:
        alias: the alias in DATABASES. Apps whose models the routers keep out of this database are ignored.
        mirror_of: the alias to use for the routers instead of ``alias``. For a replica, use the alias of its primary.
        may_be_foreign: True if a database that Django has never migrated is only degraded, because it may belong to
            another application. Without a declaration, all databases except the default one are checked this way.
    """

    alias: str = "default"
    mirror_of: str | None = dataclasses.field(default=None, repr=False)
    may_be_foreign: bool = dataclasses.field(default=False, repr=False)

    def __post_init__(self) -> None:
        self._cached: tuple[Rows, Unhealthy | Degraded | None] | None = None

    def sabotages(self) -> Iterator[Sabotage]:
        """Yield a copy that sees one migration more in the code, unless no app has migrations for this database."""
        from healthguard.database.migration_history import migration_files

        for app in sorted(migration_files().apps):
            if self._may_migrate(app):
                alter = operator.methodcaller("with_one_more", (app, SABOTAGED_NAME))
                check = self._sabotaged(alter)
                yield Sabotage("one migration more", check, [Code.MIGRATIONS_PENDING])
                return

    def _may_migrate(self, app_label: str) -> bool:
        """Return True if the routers allow a table of the app in the database, or cannot be asked here."""
        try:
            return _may_have_tables(app_label, self.mirror_of or self.alias)
        except Exception:
            # A router may query a database. The run of the check asks it again.
            return True

    def run(self) -> None:
        """Compare the database's migration history with the code.

        Raises:
            Unhealthy: a migration is pending, the history is inconsistent or cannot be read, or the database cannot be
                queried.
            Degraded: the database is ahead of the code, ``migrate`` skips a migration, the migrations in the code
                conflict, or the database has never been migrated and ``may_be_foreign`` is True.
        """
        from healthguard.database.migration_history import applied_migrations, never_migrated

        with database(self.alias) as connection:
            applied = applied_migrations(connection)
            if applied is None and self.may_be_foreign:
                raise never_migrated(self.alias)
            rows = applied or ()
            cached = self._cached
            if cached is None or cached[0] != rows:
                cached = (rows, self._worst_problem(connection, rows))
                # Do not cache a failure to read the files. It may be temporary, such as a lack of file descriptors.
                is_cacheable = cached[1] is None or cached[1].problem.code != Code.MIGRATIONS_BROKEN
                self._cached = cached if is_cacheable else None
        if cached[1] is not None:
            raise type(cached[1]).of(cached[1].problem) from None

    def _worst_problem(self, connection: BaseDatabaseWrapper, rows: Rows) -> Unhealthy | Degraded | None:
        import django.db

        try:
            comparison = self._compare(connection, rows)
        except django.db.Error:
            raise
        except Exception as error:
            return Unhealthy(
                Code.MIGRATIONS_BROKEN,
                f"The migrations in the code cannot be loaded or ordered ({type(error).__name__}).",
                fault=Fault.CONFIG,
                hint="Run 'python manage.py showmigrations' to find the migration that causes the error.",
                evidence={"alias": connection.alias},
            )
        return next(_problems(comparison, connection.alias, rows, self.mirror_of or self.alias), None)

    def _compare(self, connection: BaseDatabaseWrapper, rows: Rows) -> Comparison:
        # Imported here, because settings import this module before the apps are loaded.
        from healthguard.database.migration_history import Comparison, compare, migration_files

        files: MigrationFiles = self._altered(migration_files())
        if files.paths.keys() <= set(rows) and files.are_plain:
            return Comparison(frozenset(files.paths), files.apps)
        return compare(connection, files)


def _problems(comparison: Comparison, alias: str, rows: Rows, router_alias: str) -> Iterator[Unhealthy | Degraded]:
    """Yield the problems, the worst first."""
    if comparison.inconsistent is not None:
        yield _inconsistent(comparison.inconsistent, alias)
    if pending := _of_apps_with_tables(comparison.pending, router_alias):
        yield _pending(pending, comparison, alias, rows)
    if skipped := _of_apps_with_tables(comparison.skipped, router_alias):
        yield _degraded(
            Code.MIGRATIONS_SKIPPED,
            f"'migrate' skips migrations that are not applied to database {alias!r}, because migrations that depend on "
            f"them are applied: {truncated_list(skipped)}.",
            "If the tables already contain the changes of a migration, record it with 'python manage.py migrate "
            "--fake' (a squashed migration: record the migrations that it replaces). Otherwise apply its changes by "
            "hand first.",
            alias=alias,
            key="skipped",
            names=skipped,
        )
    if comparison.conflicts:
        names = [f"{app}.{name}" for app, conflicting in sorted(comparison.conflicts.items()) for name in conflicting]
        yield _degraded(
            Code.MIGRATIONS_CONFLICT,
            "The migrations in the code conflict, because at least one app has several leaf nodes: "
            f"{truncated_list(names)}. All migrations are applied, but the next 'migrate' will fail.",
            "Run 'python manage.py makemigrations --merge'.",
            alias=alias,
            key="conflicting",
            names=names,
        )
    if ahead := _migrations_ahead(comparison, rows):
        yield _degraded(
            Code.MIGRATIONS_AHEAD,
            f"Database {alias!r} is ahead of the code, which lacks these applied migrations: {truncated_list(ahead)}.",
            "Wait if a rolling deploy is in progress. Otherwise check which version is deployed: this code is older "
            "than the database it runs on.",
            alias=alias,
            key="ahead",
            names=ahead,
        )


def _of_apps_with_tables(migrations: Iterable[Key], alias: str) -> list[str]:
    migrations = list(migrations)
    apps = {app for app in {app for app, _ in migrations} if _may_have_tables(app, alias)}
    return [f"{app}.{name}" for app, name in migrations if app in apps]


def _may_have_tables(app_label: str, alias: str) -> bool:
    """Return True if the routers allow any table of the app in the database."""
    from django.apps import apps
    from django.db import router

    models = list(apps.get_app_config(app_label).get_models())
    if not models:
        return bool(router.allow_migrate(alias, app_label))
    return any(router.allow_migrate_model(alias, model) for model in models)


def _inconsistent(names: tuple[str, str], alias: str) -> Unhealthy:
    applied, missing = names
    return Unhealthy(
        Code.MIGRATIONS_INCONSISTENT,
        f"The migration history of database {alias!r} is inconsistent: {applied} is applied, but {missing}, which it "
        "depends on, is not.",
        fault=Fault.CONFIG,
        hint="Check whether a dependency was added to a migration that was already applied, or a row of "
        f"django_migrations was deleted. Check that the tables contain the changes of {missing}, and record it in "
        "django_migrations: 'python manage.py migrate' fails until then.",
        evidence={"alias": alias, "applied": applied, "missing": missing},
    )


def _pending(names: Sequence[str], comparison: Comparison, alias: str, rows: Rows) -> Unhealthy:
    subject = "migration is" if len(names) == 1 else "migrations are"
    note = "" if rows else " No migration is applied: this may be a wrong or an empty database."
    # The history of another project contains apps that this project does not have, and lacks some of its apps.
    unknown_apps = sorted({app for app, _ in rows} - comparison.apps)
    is_suspicious = not rows or bool(unknown_apps and {app for app, _ in comparison.in_code} - {app for app, _ in rows})
    if rows and is_suspicious:
        note = f" It has applied migrations of apps that are not in this code: {truncated_list(unknown_apps)}."
    merge = "First run 'python manage.py makemigrations --merge', because an app has more than one leaf node. "
    return Unhealthy(
        Code.MIGRATIONS_PENDING,
        f"{len(names)} {subject} not applied to database {alias!r}: {truncated_list(names)}.{note}",
        fault=Fault.CONFIG,
        hint=WHICH_DATABASE
        if is_suspicious
        else f"{merge if comparison.conflicts else ''}Run 'python manage.py migrate"
        f"{'' if alias == 'default' else f' --database={alias}'}' before this code receives traffic.",
        evidence={"alias": alias, "pending": [*names[:MAX_SHOWN]], "pending_count": len(names)},
    )


def _degraded(code: Code, message: str, hint: str, *, alias: str, key: str, names: Sequence[str]) -> Degraded:
    return Degraded(
        code,
        message,
        fault=Fault.CONFIG,
        hint=hint,
        evidence={"alias": alias, key: [*names[:MAX_SHOWN]], f"{key}_count": len(names)},
    )


def _migrations_ahead(comparison: Comparison, rows: Rows) -> list[str]:
    """Return the migrations of installed apps that were applied after all migrations of the app in the code.

    Older rows without a migration in the code are ignored. A squash leaves such rows if its replaced files are deleted.
    """
    newest = {app: position for position, (app, name) in enumerate(rows) if (app, name) in comparison.in_code}
    return [
        f"{app}.{name}"
        for position, (app, name) in enumerate(rows)
        if app in comparison.apps and (app, name) not in comparison.in_code and position > newest.get(app, -1)
    ]
