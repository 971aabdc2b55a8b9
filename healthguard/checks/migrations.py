"""Whether the database has had the migrations that the code has."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from healthguard.checks.base import Check
from healthguard.databases import database
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.listing import MAX_SHOWN, listed
from healthguard.schema import WHICH_DATABASE
from healthguard.status import Fault

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from healthguard.history import Comparison, Key, Rows


@dataclasses.dataclass(repr=False)
class AppliedMigrations(Check):
    """Every migration in the code is applied, in an order that can be; the database is not ahead of the code.

    It costs one SELECT; the migrations in the code are looked at again only when what is applied has changed, and
    imported only when their files' names and texts do not tell that all is well.

    Args:
        alias: the alias in DATABASES. Apps whose models its routers keep out are not asked for.
        like: the alias that the routers are asked about in place of ``alias``: for a replica, its primary's.
        may_be_foreign: whether a database that Django has never migrated is only degraded, because it may belong to
            another application. Without a declaration, all databases but the default one are checked that way.
    """

    alias: str = "default"
    like: str | None = dataclasses.field(default=None, repr=False)
    may_be_foreign: bool = dataclasses.field(default=False, repr=False)

    def __post_init__(self) -> None:
        self._last: tuple[Rows, Unhealthy | Degraded | None] | None = None

    def run(self) -> None:
        """Compare the database's history with the code's.

        Raises:
            Unhealthy: a migration is pending, the history is inconsistent or cannot be read; no answer.
            Degraded: the database is ahead of the code, or the code's migrations conflict; or it has never
                been migrated, and ``may_be_foreign``.
        """
        from healthguard.history import applied_migrations, never_migrated

        with database(self.alias) as connection:
            found = applied_migrations(connection)
            if found is None and self.may_be_foreign:
                raise never_migrated(self.alias)
            rows = found or ()
            last = self._last
            if last is None or last[0] != rows:
                last = (rows, _judge(connection, rows, self.like or self.alias))
                # What could not be read may be readable the next time: a moment without file descriptors.
                is_final = last[1] is None or last[1].problem.code != "migrations_broken"
                self._last = last if is_final else None
        if last[1] is not None:
            raise type(last[1]).of(last[1].problem) from None


def _judge(connection: BaseDatabaseWrapper, rows: Rows, routed_as: str) -> Unhealthy | Degraded | None:
    import django.db

    try:
        comparison = _compare(connection, rows)
    except django.db.Error:
        raise
    except Exception as error:
        return Unhealthy(
            "migrations_broken",
            f"The migrations in the code cannot be read or put in order ({type(error).__name__}).",
            fault=Fault.CONFIG,
            hint="Run 'python manage.py showmigrations': it names the migration.",
            evidence={"alias": connection.alias},
        )
    return next(_problems(comparison, connection.alias, rows, routed_as), None)


def _compare(connection: BaseDatabaseWrapper, rows: Rows) -> Comparison:
    # Here, for this module is imported by settings, before there are apps.
    from healthguard.history import Comparison, compare, migration_files

    files = migration_files()
    if files.paths.keys() <= set(rows) and files.are_plain:
        return Comparison(frozenset(files.paths), files.apps)
    return compare(connection, files)


def _problems(comparison: Comparison, alias: str, rows: Rows, routed_as: str) -> Iterator[Unhealthy | Degraded]:
    """What is wrong, worst first."""
    if comparison.inconsistent is not None:
        yield _inconsistent(comparison.inconsistent, alias)
    if pending := _of_apps_with_tables(comparison.pending, routed_as):
        yield _pending(pending, comparison, alias, rows)
    if skipped := _of_apps_with_tables(comparison.skipped, routed_as):
        yield _degraded(
            "migrations_skipped",
            f"Django counts as not applied to database {alias!r}, and 'migrate' skips, for what depends on it is "
            f"applied: {listed(skipped)}.",
            "If its tables are as it makes them, record it with 'python manage.py migrate --fake', a squash by the "
            "migrations that it replaces; otherwise apply it by hand first.",
            alias=alias,
            what="skipped",
            names=skipped,
        )
    if comparison.conflicts:
        names = [f"{app}.{name}" for app, conflicting in sorted(comparison.conflicts.items()) for name in conflicting]
        yield _degraded(
            "migrations_conflict",
            f"The migrations in the code have more than one end: {listed(names)}. All are applied, but the next "
            "'migrate' will refuse.",
            "Run 'python manage.py makemigrations --merge'.",
            alias=alias,
            what="conflicting",
            names=names,
        )
    if ahead := _ahead(comparison, rows):
        yield _degraded(
            "migrations_ahead",
            f"Database {alias!r} is ahead of the code, which does not know {listed(ahead)}.",
            "In a rolling deploy this passes by itself; otherwise this code is older than the database it runs on.",
            alias=alias,
            what="ahead",
            names=ahead,
        )


def _of_apps_with_tables(migrations: Iterable[Key], alias: str) -> list[str]:
    migrations = list(migrations)
    wanted = {app for app in {app for app, _ in migrations} if _may_have_tables(app, alias)}
    return [f"{app}.{name}" for app, name in migrations if app in wanted]


def _may_have_tables(app_label: str, alias: str) -> bool:
    """Whether the routers let anything of the app into the database."""
    from django.apps import apps
    from django.db import router

    models = list(apps.get_app_config(app_label).get_models())
    if not models:
        return bool(router.allow_migrate(alias, app_label))
    return any(router.allow_migrate_model(alias, model) for model in models)


def _inconsistent(names: tuple[str, str], alias: str) -> Unhealthy:
    applied, missing = names
    return Unhealthy(
        "migrations_inconsistent",
        f"The history in database {alias!r} is inconsistent: {applied} is applied, and {missing}, which it depends on, "
        "is not.",
        fault=Fault.CONFIG,
        hint="Was a dependency added to a migration that was already applied, or a row of django_migrations deleted? "
        f"'python manage.py migrate' refuses until it is recorded: see whether the tables have what {missing} does.",
        evidence={"alias": alias, "applied": applied, "missing": missing},
    )


def _pending(names: Sequence[str], comparison: Comparison, alias: str, rows: Rows) -> Unhealthy:
    what = "migration is" if len(names) == 1 else "migrations are"
    empty = "" if rows else " None is applied: a wrong or empty database?"
    # The history of another project has apps that this one does not have, and lacks whole apps of this one.
    strangers = sorted({app for app, _ in rows} - comparison.apps)
    is_strange = not rows or bool(strangers and {app for app, _ in comparison.known} - {app for app, _ in rows})
    if rows and is_strange:
        empty = f" Applied are migrations of apps that this code does not have: {listed(strangers)}."
    merge = "First run 'python manage.py makemigrations --merge': the migrations have more than one end. "
    return Unhealthy(
        "migrations_pending",
        f"{len(names)} {what} not applied to database {alias!r}: {listed(names)}.{empty}",
        fault=Fault.CONFIG,
        hint=WHICH_DATABASE
        if is_strange
        else f"{merge if comparison.conflicts else ''}Run 'python manage.py migrate"
        f"{'' if alias == 'default' else f' --database={alias}'}' before this code gets traffic.",
        evidence={"alias": alias, "pending": [*names[:MAX_SHOWN]], "pending_count": len(names)},
    )


def _degraded(code: str, message: str, hint: str, *, alias: str, what: str, names: Sequence[str]) -> Degraded:
    return Degraded(
        code,
        message,
        fault=Fault.CONFIG,
        hint=hint,
        evidence={"alias": alias, what: [*names[:MAX_SHOWN]], f"{what}_count": len(names)},
    )


def _ahead(comparison: Comparison, rows: Rows) -> list[str]:
    """What was applied after everything that the code of an installed app knows.

    An older row that the code does not know is what a squash leaves behind once the files it replaced are gone.
    """
    newest = {app: position for position, (app, name) in enumerate(rows) if (app, name) in comparison.known}
    return [
        f"{app}.{name}"
        for position, (app, name) in enumerate(rows)
        if app in comparison.apps and (app, name) not in comparison.known and position > newest.get(app, -1)
    ]
