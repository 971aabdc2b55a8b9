"""Migrations that a test writes to files, installs and records as applied."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import itertools
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from django.db import connections
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings

APPS = ("first_app", "second_app", "third_app")
Key = tuple[str, str]
_numbers = itertools.count()


@dataclasses.dataclass
class File:
    """The content of a migration's file."""

    dependencies: list[Key] = dataclasses.field(default_factory=list)
    replaces: list[Key] = dataclasses.field(default_factory=list)
    run_before: list[Key] = dataclasses.field(default_factory=list)

    @property
    def text(self) -> str:
        """The source code of the migration."""
        lines = ["from django.db import migrations", "", "", "class Migration(migrations.Migration):", ""]
        if self.replaces:
            lines += [f"    replaces = {self.replaces!r}", ""]
        if self.run_before:
            lines += [f"    run_before = {self.run_before!r}", ""]
        lines += [
            "    dependencies = [",
            *(f"        {dependency!r}," for dependency in self.dependencies),
            "    ]",
            "",
        ]
        return "\n".join([*lines, "    operations = []", ""])


@contextlib.contextmanager
def installed_migrations(files: Mapping[Key, File]) -> Iterator[Path]:
    """Install three apps without models and with these migrations, and yield the folder of the migrations."""
    with tempfile.TemporaryDirectory() as folder:
        root = f"written_{next(_numbers)}"
        for app in APPS:
            for package in (Path(folder, app), Path(folder, root, app)):
                package.mkdir(parents=True)
                (package / "__init__.py").touch()
        Path(folder, root, "__init__.py").touch()
        for (app, name), file in files.items():
            Path(folder, root, app, f"{name}.py").write_text(file.text)
        importlib.invalidate_caches()
        sys.path.insert(0, folder)
        try:
            with override_settings(
                INSTALLED_APPS=["healthguard", *APPS], MIGRATION_MODULES={app: f"{root}.{app}" for app in APPS}
            ):
                yield Path(folder, root)
        finally:
            sys.path.remove(folder)
            for module in [name for name in sys.modules if name.partition(".")[0] in {root, *APPS}]:
                del sys.modules[module]


def record(alias: str, rows: list[Key]) -> None:
    """Replace the migrations that are recorded as applied by ``rows``, in this order."""
    recorder = MigrationRecorder(connections[alias])
    recorder.flush()
    for app, name in rows:
        recorder.record_applied(app, name)


def expected_by_django(alias: str) -> tuple[str, list[str]]:
    """Return the problem code and the pending migrations that follow from ``migrate`` on the database ``alias``."""
    connection = connections[alias]
    try:
        executor = MigrationExecutor(connection)
        executor.loader.check_consistent_history(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except InconsistentMigrationHistory:
        return "migrations_inconsistent", []
    except Exception:
        return "migrations_broken", []
    pending = [f"{migration.app_label}.{migration.name}" for migration, is_backwards in plan if not is_backwards]
    if pending:
        return "migrations_pending", pending
    return ("migrations_conflict", []) if executor.loader.detect_conflicts() else ("", [])
