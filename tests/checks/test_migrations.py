"""AppliedMigrations reports pending, inconsistent, conflicting and unknown migrations, and nothing else."""

from __future__ import annotations

import compileall
import contextlib
import importlib
import resource
import sys
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any, TextIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from example_project.postgres import Postgres
from healthguard.checks import AppliedMigrations
from healthguard.database.migration_history import comparison
from healthguard.status import Fault, Status
from tests.support.fixture_types import Connect, FindProblem, RunCheck
from tests.support.migration_files import File, Key, expected_by_django, installed_migrations, record
from tests.support.results import problem_of
from tests.support.roles import reader_of
from tests.support.sql import execute


@pytest.fixture(params=["postgresql", "sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def migrated(request: pytest.FixtureRequest, connect: Connect, tmp_path: Path) -> str:
    """The alias of a migrated database, on each engine."""
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        return connect(postgres.url_of(request.getfixturevalue("migrated_database")))
    url = f"sqlite:///{tmp_path / 'db.sqlite3'}" if request.param == "sqlite" else request.getfixturevalue("mariadb")
    alias = connect(url)
    call_command("migrate", database=alias, verbosity=0, stdout=StringIO())
    return alias


def test_migrated_database_is_healthy_with_one_query(result: RunCheck, migrated: str) -> None:
    check = AppliedMigrations(migrated)
    assert result(check).status is Status.HEALTHY
    with CaptureQueriesContext(connections[migrated]) as queries:
        assert result(check).status is Status.HEALTHY
    assert len(queries) == 1


def test_pending_migration_is_named(result: RunCheck, problem: FindProblem, migrated: str) -> None:
    check = AppliedMigrations(migrated)
    assert result(check).status is Status.HEALTHY
    execute(migrated, "DELETE FROM django_migrations WHERE app = 'vending'")
    found = problem(check)
    assert (found.code, found.fault) == ("migrations_pending", Fault.CONFIG)
    assert found.evidence["pending"] == ["vending.0001_initial"]
    assert f"--database={migrated}" in found.hint
    call_command("migrate", "vending", database=migrated, fake=True, verbosity=0, stdout=StringIO())
    assert result(check).status is Status.HEALTHY


def test_all_migrations_of_an_empty_database_are_pending(
    problem: FindProblem, connect: Connect, postgres: Postgres, database: str
) -> None:
    found = problem(AppliedMigrations(connect(postgres.url_of(database))))
    assert found.code == "migrations_pending"
    assert "empty database" in found.message
    evidence: Mapping[str, Any] = found.evidence
    assert evidence["pending_count"] > 10


def test_inconsistent_history_is_reported(problem: FindProblem, migrated: str) -> None:
    execute(migrated, "DELETE FROM django_migrations WHERE app = 'contenttypes'")
    found = problem(AppliedMigrations(migrated))
    assert (found.code, found.fault) == ("migrations_inconsistent", Fault.CONFIG)
    evidence: Mapping[str, Any] = found.evidence
    assert evidence["missing"].startswith("contenttypes.")
    assert evidence["applied"] in found.message


def test_database_ahead_of_the_code_is_degraded(result: RunCheck, migrated: str) -> None:
    execute(
        migrated, "INSERT INTO django_migrations (app, name, applied) VALUES ('vending', '0099_later', '2026-01-01')"
    )
    outcome = result(AppliedMigrations(migrated))
    assert outcome.status is Status.DEGRADED
    assert problem_of(outcome).code == "migrations_ahead"
    assert problem_of(outcome).evidence["ahead"] == ["vending.0099_later"]


def test_rows_of_a_removed_app_are_ignored(result: RunCheck, migrated: str) -> None:
    execute(
        migrated, "INSERT INTO django_migrations (app, name, applied) VALUES ('gone', '0001_initial', '2026-01-01')"
    )
    assert result(AppliedMigrations(migrated)).status is Status.HEALTHY


def test_rows_of_squashed_migrations_without_files_are_ignored(result: RunCheck, migrated: str) -> None:
    """The files that a squash replaced are deleted some day, but their rows stay."""
    execute(migrated, "UPDATE django_migrations SET app = 'vending', name = '0001_old' WHERE id = 1")
    execute(
        migrated,
        "INSERT INTO django_migrations (app, name, applied) VALUES ('contenttypes', '0001_initial', '2026-01-01')",
    )
    assert result(AppliedMigrations(migrated)).problem is None


class ExcludesApps:
    """A router that allows no model of some apps in the database ``other``."""

    def __init__(self, apps: set[str]) -> None:
        self.apps = apps

    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool | None:
        return False if db == "other" and app_label in self.apps else None


def test_apps_that_the_routers_keep_out_are_ignored(result: RunCheck, problem: FindProblem, migrated: str) -> None:
    execute(migrated, "DELETE FROM django_migrations WHERE app = 'vending'")
    with override_settings(DATABASE_ROUTERS=[ExcludesApps({"vending"})]):
        assert result(AppliedMigrations(migrated)).status is Status.HEALTHY
    assert problem(AppliedMigrations(migrated)).code == "migrations_pending"


def test_migration_without_a_migration_class_is_reported(
    problem: FindProblem,
    connect: Connect,
    postgres: Postgres,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package = tmp_path / "broken_migrations"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "0001_initial.py").write_text("nothing = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    alias = connect(postgres.url_of(database))
    with override_settings(MIGRATION_MODULES={"vending": "broken_migrations"}):
        found = problem(AppliedMigrations(alias))
    assert (found.code, found.fault) == ("migrations_broken", Fault.CONFIG)


def test_missing_right_to_read_the_history_is_reported(
    problem: FindProblem, connect: Connect, postgres: Postgres, database: str
) -> None:
    alias = connect(postgres.url_of(database))
    call_command("migrate", database=alias, verbosity=0, stdout=StringIO())
    with reader_of(postgres, database) as url:
        found = problem(AppliedMigrations(connect(url, "reader")))
    assert (found.code, found.fault) == ("database_permission", Fault.CONFIG)


@pytest.fixture
def history(connect: Connect, tmp_path: Path) -> str:
    """The alias of a database in which no migration is recorded as applied."""
    alias = connect(f"sqlite:///{tmp_path / 'history.sqlite3'}")
    MigrationRecorder(connections[alias]).ensure_schema()
    return alias


ZERO, ONE, TWO, THREE = (("first_app", f"000{number}_step") for number in range(4))
SQUASH = ("first_app", "0001_squashed_0002_step")
LINE = {ONE: File(), TWO: File([ONE]), THREE: File([TWO])}


def test_migrations_are_imported_only_if_one_is_not_applied(result: RunCheck, history: str) -> None:
    record(history, list(LINE))
    with installed_migrations(LINE) as folder:
        check = AppliedMigrations(history)
        assert result(check).problem is None
        # Rows of a removed app do not change that.
        record(history, [*LINE, ("gone", "0001_initial")])
        assert result(check).problem is None
        assert not [name for name in sys.modules if name.startswith(f"{folder.name}.first_app.")]
        record(history, [ONE, TWO])
        assert problem_of(result(check)).evidence["pending"] == ["first_app.0003_step"]
        assert [name for name in sys.modules if name.startswith(f"{folder.name}.first_app.")]


def test_handwritten_dependencies_are_read_by_importing_the_file(
    result: RunCheck, problem: FindProblem, history: str
) -> None:
    """The text of such a file does not show its dependencies, so the check uses Django's loader."""
    record(history, [ONE, TWO])
    with installed_migrations({ONE: File(), TWO: File([ONE])}) as folder:
        (folder / "first_app" / "0002_step.py").write_text(
            "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
            "    dependencies = [(label, '0001_step') for label in ['first_app']]\n"
        )
        assert result(AppliedMigrations(history)).problem is None
        (folder / "first_app" / "0002_step.py").write_text("raise RuntimeError('broken')\n")
        sys.modules.pop(f"{folder.name}.first_app.0002_step")
        importlib.invalidate_caches()
        comparison._disk = None
        assert problem(AppliedMigrations(history)).code == "migrations_broken"


def test_dependency_on_a_missing_migration_is_reported(problem: FindProblem, history: str) -> None:
    record(history, [ONE])
    with installed_migrations({ONE: File([("second_app", "0001_gone")])}):
        assert problem(AppliedMigrations(history)).code == "migrations_broken"


@pytest.mark.parametrize("app", ["unknown", "second_app"])
def test_dependency_on_a_missing_first_migration_is_reported(problem: FindProblem, history: str, app: str) -> None:
    record(history, [ONE])
    with installed_migrations({ONE: File([(app, "__first__")])}):
        assert problem(AppliedMigrations(history)).code == "migrations_broken"


def test_two_applied_leaf_nodes_are_degraded(result: RunCheck, history: str) -> None:
    record(history, list(LINE))
    with installed_migrations({**LINE, THREE: File([ONE])}):
        outcome = result(AppliedMigrations(history))
    assert outcome.status is Status.DEGRADED
    assert problem_of(outcome).code == "migrations_conflict"
    assert problem_of(outcome).evidence["conflicting"] == ["first_app.0002_step", "first_app.0003_step"]
    assert "makemigrations --merge" in problem_of(outcome).hint


def test_pending_leaf_node_beside_an_applied_one_is_reported_with_a_hint_to_merge(
    problem: FindProblem, history: str
) -> None:
    record(history, [ONE, TWO])
    with installed_migrations({**LINE, THREE: File([ONE])}):
        found = problem(AppliedMigrations(history))
    assert found.code == "migrations_pending"
    assert "makemigrations --merge" in found.hint


@pytest.mark.parametrize("applied", [[ONE, TWO, THREE], [ONE, TWO, SQUASH, THREE]])
@pytest.mark.parametrize("are_kept", [True, False])
def test_squash_counts_as_applied_if_all_migrations_that_it_replaces_are_applied(
    result: RunCheck, history: str, applied: list[Key], are_kept: bool
) -> None:
    files = {**(LINE if are_kept else {}), SQUASH: File([], [ONE, TWO]), THREE: File([SQUASH])}
    record(history, applied)
    with installed_migrations(files):
        assert result(AppliedMigrations(history)).problem is None


def test_rest_of_a_squash_that_is_half_applied_is_pending(problem: FindProblem, history: str) -> None:
    record(history, [ONE])
    with installed_migrations({**LINE, SQUASH: File([], [ONE, TWO])}):
        assert problem(AppliedMigrations(history)).evidence["pending"] == [
            "first_app.0002_step",
            "first_app.0003_step",
        ]


@pytest.mark.parametrize(
    ("files", "applied", "skipped"),
    [
        # All migrations that the squash replaces are applied, so it counts as applied, but its own dependency is not.
        (
            {ZERO: File(), SQUASH: File([ZERO], [ONE, TWO]), THREE: File([SQUASH])},
            [ONE, TWO, THREE],
            "first_app.0000_step",
        ),
        # The rows of the migrations that it replaces were deleted, so it counts as not applied despite its own row.
        (
            {SQUASH: File([], [ONE, TWO]), THREE: File([SQUASH])},
            [SQUASH, THREE],
            "first_app.0001_squashed_0002_step",
        ),
    ],
)
def test_migration_that_migrate_skips_is_degraded(
    result: RunCheck, history: str, files: dict[Key, File], applied: list[Key], skipped: str
) -> None:
    record(history, applied)
    with installed_migrations(files):
        outcome = result(AppliedMigrations(history))
    assert outcome.status is Status.DEGRADED
    assert problem_of(outcome).code == "migrations_skipped"
    assert problem_of(outcome).evidence["skipped"] == [skipped]


def test_migrations_without_source_are_read_from_compiled_files(
    result: RunCheck, problem: FindProblem, history: str
) -> None:
    record(history, list(LINE))
    with installed_migrations(LINE) as folder:
        compileall.compile_dir(folder, legacy=True, quiet=1)
        for source in folder.glob("*/*.py"):
            source.unlink()
        importlib.invalidate_caches()
        check = AppliedMigrations(history)
        assert result(check).problem is None
        record(history, [ONE, TWO])
        assert problem(check).evidence["pending"] == ["first_app.0003_step"]


def test_app_whose_migration_module_is_none_is_ignored(result: RunCheck, history: str) -> None:
    record(history, list(LINE))
    with installed_migrations({**LINE, ("second_app", "0001_step"): File()}):
        modules = {**settings.MIGRATION_MODULES, "second_app": None}
        with override_settings(MIGRATION_MODULES=modules):
            assert result(AppliedMigrations(history)).problem is None


def test_long_list_of_migrations_is_cut_and_counted(problem: FindProblem, history: str) -> None:
    with installed_migrations({("first_app", f"{number:04}_step"): File() for number in range(50)}):
        found = problem(AppliedMigrations(history))
    evidence: Mapping[str, Any] = found.evidence
    assert len(evidence["pending"]) == 20
    assert evidence["pending_count"] == 50
    assert "and 30 more" in found.message


UNUSUAL_BODIES = {
    "added": "    dependencies = [('first_app', '0001_step')] + []",
    "appended": "    dependencies = [('first_app', '0001_step')]\n    dependencies += [('second_app', '0001_gone')]",
    "commented": "    dependencies = [\n        # ('first_app', '0001_step'),\n    ]",
    "bracket": "    dependencies = [\n        # ]\n        ('first_app', '0009_gone'),\n    ]",
    "itself": "    dependencies = [('first_app', '0002_step')]",
    "later": "    dependencies = [('first_app', '0001_step')]\n\n\nMigration.dependencies = [('x', '0001_gone')]",
}


@pytest.mark.parametrize("body", UNUSUAL_BODIES.values(), ids=UNUSUAL_BODIES)
def test_unusual_source_gives_the_same_problem_as_migrate(result: RunCheck, history: str, body: str) -> None:
    """The text of these files looks as if makemigrations wrote it, but Python reads something else."""
    record(history, [ONE, TWO])
    with installed_migrations({ONE: File(), TWO: File([ONE])}) as folder:
        text = "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
        (folder / "first_app" / "0002_step.py").write_text(f"{text}{body}\n")
        outcome = result(AppliedMigrations(history))
        code, _ = expected_by_django(history)
    assert (outcome.problem.code if outcome.problem else "") == code


def test_migration_with_a_base_class_is_imported(result: RunCheck, history: str) -> None:
    record(history, [ONE, TWO])
    with installed_migrations({ONE: File(), TWO: File([ONE])}) as folder:
        (folder / "first_app" / "0002_step.py").write_text(
            "from django.db import migrations\n\n\nclass Base(migrations.Migration):\n"
            "    run_after = [('first_app', '0009_gone')]\n\n\nclass Migration(Base):\n"
            "    dependencies = [('first_app', '0001_step')]\n"
        )
        assert result(AppliedMigrations(history)).problem is None
        assert f"{folder.name}.first_app.0002_step" in sys.modules


def test_failure_to_open_the_files_is_not_cached(result: RunCheck, history: str) -> None:
    record(history, [ONE])
    with installed_migrations({ONE: File()}):
        check = AppliedMigrations(history)
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        connections[history].ensure_connection()
        taken: list[TextIO] = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, limit[1]))
        try:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(open("/dev/null"))  # noqa: SIM115
            outcome = result(check)
        finally:
            for file in taken:
                file.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        assert problem_of(outcome).code == "migrations_broken"
        assert result(check).problem is None


def test_replica_is_checked_with_the_routers_of_its_primary(
    result: RunCheck, problem: FindProblem, migrated: str
) -> None:
    execute(migrated, "DELETE FROM django_migrations WHERE app = 'vending'")
    with override_settings(DATABASE_ROUTERS=[ExcludesApps({"vending"})]):
        assert result(AppliedMigrations(migrated)).problem is None
        assert problem(AppliedMigrations(migrated, mirror_of="default")).code == "migrations_pending"
