"""The migrations in the code against those that a database has had, by Django's own loader and executor."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from healthguard.history.files import Key, MigrationFiles

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """How a database's history and the code's differ.

    Args:
        known: every migration that the code knows, those included that a squash replaces.
        apps: the labels of the apps that have migrations.
        pending: what ``migrate`` would apply, in its order.
        skipped: what is not applied, though what comes after it is, so that ``migrate`` will not.
        inconsistent: an applied migration, and one that it depends on and that is not: ``migrate`` refuses.
        conflicts: the last migrations of apps that have more than one: ``migrate`` refuses.
    """

    known: frozenset[Key]
    apps: frozenset[str]
    pending: Sequence[Key] = ()
    skipped: Sequence[Key] = ()
    inconsistent: tuple[str, str] | None = None
    conflicts: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)


def compare(connection: BaseDatabaseWrapper, files: MigrationFiles) -> Comparison:
    """Compare by what ``migrate`` itself goes by.

    Args:
        connection: to the database.
        files: the migrations' files, by which is known whether they are those of the last time.

    Raises:
        Exception: whatever importing a migration raises, or Django, where they cannot be put in order.
        django.db.Error: as the driver says it.
    """
    loader = _Loader(connection, files)
    known = frozenset(loader.disk_migrations) | {
        replaced for migration in loader.replacements.values() for replaced in migration.replaces
    }
    labels = frozenset(loader.migrated_apps)
    conflicts = loader.detect_conflicts()
    try:
        loader.check_consistent_history(connection)
    except InconsistentMigrationHistory as error:
        return Comparison(known, labels, inconsistent=_both(str(error)), conflicts=conflicts)
    plan = _Executor(connection, loader).migration_plan(loader.graph.leaf_nodes())
    pending = [(migration.app_label, migration.name) for migration, _ in plan]
    skipped = sorted(set(loader.graph.nodes) - set(loader.applied_migrations) - set(pending))
    return Comparison(known, labels, pending, skipped, conflicts=conflicts)


def _both(text: str) -> tuple[str, str]:
    match = re.search(r"Migration (\S+) is applied before its dependency (\S+) on database", text)
    return (match[1], match[2]) if match else ("?", "?")


_disk: tuple[frozenset[tuple[Key, str | None]], dict[Key, Any], set[str], set[str]] | None = None
"""What the loader has read of the disk: of which files, the migrations, the apps without and those with any."""


class _Loader(MigrationLoader):
    """Django's loader, which does not import again what it has imported before."""

    def __init__(self, connection: BaseDatabaseWrapper, files: MigrationFiles) -> None:
        self._files = frozenset(files.paths.items())
        super().__init__(connection)

    def load_disk(self) -> None:
        global _disk
        read = _disk
        if read is None or read[0] != self._files:
            super().load_disk()
            read = _disk = (self._files, self.disk_migrations, self.unmigrated_apps, self.migrated_apps)
        _, self.disk_migrations, self.unmigrated_apps, self.migrated_apps = read


class _Executor(MigrationExecutor):
    """Django's executor for a loader that has loaded already."""

    def __init__(self, connection: BaseDatabaseWrapper, loader: MigrationLoader) -> None:
        self.connection = connection
        self.loader = loader
