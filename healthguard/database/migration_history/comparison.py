"""The comparison of the migrations in the code with a database's history, by Django's own loader and executor."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration

from healthguard.database.migration_history.files import Key, MigrationFiles

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """The differences between a database's migration history and the code.

    Args:
        in_code: every migration in the code, including those that a squashed migration replaces.
        apps: the labels of the apps that have migrations.
        pending: the migrations that ``migrate`` would apply, in the order in which it would apply them.
        skipped: the migrations that are not applied and that ``migrate`` skips, because a later one is applied.
        inconsistent: an applied migration, and one that it depends on and that is not applied. ``migrate`` fails.
        conflicts: the leaf nodes of each app that has more than one. ``migrate`` fails.
    """

    in_code: frozenset[Key]
    apps: frozenset[str]
    pending: Sequence[Key] = ()
    skipped: Sequence[Key] = ()
    inconsistent: tuple[str, str] | None = None
    conflicts: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)


def compare(connection: BaseDatabaseWrapper, files: MigrationFiles) -> Comparison:
    """Compare the migrations in the code with the database's history, by the same rules as ``migrate``.

    Args:
        connection: the connection to the database.
        files: the migrations' files. Migrations are imported again only if the files have changed since the last call.

    Raises:
        Exception: any exception of importing a migration, or of Django if the migrations cannot be ordered.
        django.db.Error: the error of the driver.
    """
    loader = _Loader(connection, files)
    in_code = frozenset(loader.disk_migrations) | {
        replaced for migration in loader.replacements.values() for replaced in migration.replaces
    }
    labels = frozenset(loader.migrated_apps)
    conflicts = loader.detect_conflicts()
    try:
        loader.check_consistent_history(connection)
    except InconsistentMigrationHistory as error:
        return Comparison(in_code, labels, inconsistent=_names_in(str(error)), conflicts=conflicts)
    plan = _Executor(connection, loader).migration_plan(loader.graph.leaf_nodes())
    pending = [(migration.app_label, migration.name) for migration, _ in plan]
    skipped = sorted(set(loader.graph.nodes) - set(loader.applied_migrations) - set(pending))
    return Comparison(in_code, labels, pending, skipped, conflicts=conflicts)


def _names_in(text: str) -> tuple[str, str]:
    """Return the applied migration and its missing dependency from the text of Django's exception."""
    match = re.search(r"Migration (\S+) is applied before its dependency (\S+) on database", text)
    return (match[1], match[2]) if match else ("?", "?")


_disk: tuple[frozenset[tuple[Key, str | None]], dict[Key, Any], set[str], set[str]] | None = None
"""The cache of the loader: the files, their migrations, the apps without migrations and the apps with migrations."""


class _Loader(MigrationLoader):
    """Django's loader, but with migrations imported only once while their files stay the same."""

    def __init__(self, connection: BaseDatabaseWrapper, files: MigrationFiles) -> None:
        self._imagined = files.imagined
        self._files = frozenset((key, path) for key, path in files.paths.items() if key != files.imagined)
        super().__init__(connection)

    def load_disk(self) -> None:
        global _disk
        cached = _disk
        if cached is None or cached[0] != self._files:
            super().load_disk()
            cached = _disk = (self._files, self.disk_migrations, self.unmigrated_apps, self.migrated_apps)
        _, self.disk_migrations, self.unmigrated_apps, self.migrated_apps = cached
        if self._imagined is not None:
            app, name = self._imagined
            dependencies = [key for key in self.disk_migrations if key[0] == app]
            migration = type("Imagined", (Migration,), {"dependencies": dependencies})(name, app)
            self.disk_migrations = {**self.disk_migrations, self._imagined: migration}


class _Executor(MigrationExecutor):
    """Django's executor, but with a loader that has already been loaded."""

    def __init__(self, connection: BaseDatabaseWrapper, loader: MigrationLoader) -> None:
        self.connection = connection
        self.loader = loader
