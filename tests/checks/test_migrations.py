"""Migrations: pending, inconsistent, ahead; and quiet about what is none of these."""

from __future__ import annotations

import compileall
import contextlib
import importlib
import resource
import sys
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from healthguard.checks import AppliedMigrations
from healthguard.history import comparison
from healthguard.status import Fault, Status
from tests.checks.migration_files import File, code_with, record
from tests.checks.test_migration_histories import django_says


def _execute(alias: str, statement: str, *params: object) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement, params)


@pytest.fixture(params=["postgresql", "sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def migrated(request, connect, tmp_path) -> str:
    if request.param == "postgresql":
        name = request.getfixturevalue("database")
        alias = connect(request.getfixturevalue("postgres").url_of(name))
    elif request.param == "sqlite":
        alias = connect(f"sqlite:///{tmp_path / 'db.sqlite3'}")
    else:
        alias = connect(request.getfixturevalue("mariadb"))
    call_command("migrate", database=alias, verbosity=0, stdout=StringIO())
    return alias


def test_all_applied_is_silent_and_costs_one_query(result, migrated) -> None:
    check = AppliedMigrations(migrated)
    assert result(check).status is Status.HEALTHY
    with CaptureQueriesContext(connections[migrated]) as queries:
        assert result(check).status is Status.HEALTHY
    assert len(queries) == 1


def test_a_pending_migration_is_named(result, problem, migrated) -> None:
    check = AppliedMigrations(migrated)
    assert result(check).status is Status.HEALTHY
    _execute(migrated, "DELETE FROM django_migrations WHERE app = 'vending'")
    told = problem(check)
    assert (told.code, told.fault) == ("migrations_pending", Fault.CONFIG)
    assert told.evidence["pending"] == ["vending.0001_initial"]
    assert f"--database={migrated}" in told.hint
    call_command("migrate", "vending", database=migrated, fake=True, verbosity=0, stdout=StringIO())
    assert result(check).status is Status.HEALTHY


def test_an_empty_database_has_everything_pending(problem, connect, postgres, database) -> None:
    told = problem(AppliedMigrations(connect(postgres.url_of(database))))
    assert told.code == "migrations_pending"
    assert "empty database" in told.message
    assert told.evidence["pending_count"] > 10


def test_an_inconsistent_history(problem, migrated) -> None:
    _execute(migrated, "DELETE FROM django_migrations WHERE app = 'contenttypes'")
    told = problem(AppliedMigrations(migrated))
    assert (told.code, told.fault) == ("migrations_inconsistent", Fault.CONFIG)
    assert told.evidence["missing"].startswith("contenttypes.")
    assert told.evidence["applied"] in told.message


def test_a_database_ahead_of_the_code_is_degraded(result, migrated) -> None:
    _execute(
        migrated, "INSERT INTO django_migrations (app, name, applied) VALUES ('vending', '0099_later', '2026-01-01')"
    )
    told = result(AppliedMigrations(migrated))
    assert told.status is Status.DEGRADED
    assert told.problem.code == "migrations_ahead"
    assert told.problem.evidence["ahead"] == ["vending.0099_later"]


def test_rows_of_a_removed_app_are_nothing(result, migrated) -> None:
    _execute(
        migrated, "INSERT INTO django_migrations (app, name, applied) VALUES ('gone', '0001_initial', '2026-01-01')"
    )
    assert result(AppliedMigrations(migrated)).status is Status.HEALTHY


def test_what_a_squash_leaves_behind_is_nothing(result, migrated) -> None:
    """The files that a squash replaced are deleted one day; their rows stay."""
    _execute(migrated, "UPDATE django_migrations SET app = 'vending', name = '0001_old' WHERE id = 1")
    _execute(
        migrated,
        "INSERT INTO django_migrations (app, name, applied) VALUES ('contenttypes', '0001_initial', '2026-01-01')",
    )
    assert result(AppliedMigrations(migrated)).problem is None


class KeepsOut:
    def __init__(self, apps: set[str]) -> None:
        self.apps = apps

    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool | None:
        return False if db == "other" and app_label in self.apps else None


def test_apps_that_the_routers_keep_out_are_not_asked_for(result, problem, migrated) -> None:
    _execute(migrated, "DELETE FROM django_migrations WHERE app = 'vending'")
    with override_settings(DATABASE_ROUTERS=[KeepsOut({"vending"})]):
        assert result(AppliedMigrations(migrated)).status is Status.HEALTHY
    assert problem(AppliedMigrations(migrated)).code == "migrations_pending"


def test_migrations_that_cannot_be_read(problem, connect, postgres, database, tmp_path, monkeypatch) -> None:
    package = tmp_path / "broken_migrations"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "0001_initial.py").write_text("nothing = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    alias = connect(postgres.url_of(database))
    with override_settings(MIGRATION_MODULES={"vending": "broken_migrations"}):
        told = problem(AppliedMigrations(alias))
    assert (told.code, told.fault) == ("migrations_broken", Fault.CONFIG)


def test_history_that_may_not_be_read(problem, connect, postgres, database) -> None:
    alias = connect(postgres.url_of(database))
    call_command("migrate", database=alias, verbosity=0, stdout=StringIO())
    postgres.execute("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN PASSWORD 'r'", database)
    try:
        reader = connect(postgres.url_as("reader", database, "r"), "reader")
        told = problem(AppliedMigrations(reader))
        assert (told.code, told.fault) == ("database_permission", Fault.CONFIG)
    finally:
        connections["reader"].close()
        postgres.execute("DROP ROLE reader", database)


@pytest.fixture
def recorded(connect, tmp_path) -> str:
    """A database in which nothing is recorded as applied."""
    alias = connect(f"sqlite:///{tmp_path / 'recorded.sqlite3'}")
    MigrationRecorder(connections[alias]).ensure_schema()
    return alias


ZERO, ONE, TWO, THREE = (("first_app", f"000{number}_step") for number in range(4))
SQUASH = ("first_app", "0001_squashed_0002_step")
LINE = {ONE: File(), TWO: File([ONE]), THREE: File([TWO])}


def test_nothing_is_imported_while_all_is_applied(result, recorded) -> None:
    record(recorded, list(LINE))
    with code_with(LINE) as folder:
        check = AppliedMigrations(recorded)
        assert result(check).problem is None
        # The same when a removed app's rows come, which is nothing either.
        record(recorded, [*LINE, ("gone", "0001_initial")])
        assert result(check).problem is None
        assert not [name for name in sys.modules if name.startswith(f"{folder.name}.first_app.")]
        record(recorded, [ONE, TWO])
        assert result(check).problem.evidence["pending"] == ["first_app.0003_step"]
        assert [name for name in sys.modules if name.startswith(f"{folder.name}.first_app.")]


def test_files_that_are_not_as_makemigrations_writes_them(result, problem, recorded) -> None:
    """What their text does not tell is asked of Django."""
    record(recorded, [ONE, TWO])
    with code_with({ONE: File(), TWO: File([ONE])}) as folder:
        (folder / "first_app" / "0002_step.py").write_text(
            "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
            "    dependencies = [(label, '0001_step') for label in ['first_app']]\n"
        )
        assert result(AppliedMigrations(recorded)).problem is None
        (folder / "first_app" / "0002_step.py").write_text("raise RuntimeError('broken')\n")
        sys.modules.pop(f"{folder.name}.first_app.0002_step")
        importlib.invalidate_caches()
        comparison._disk = None
        assert problem(AppliedMigrations(recorded)).code == "migrations_broken"


def test_a_dependency_that_is_not_there(problem, recorded) -> None:
    record(recorded, [ONE])
    with code_with({ONE: File([("second_app", "0001_gone")])}):
        assert problem(AppliedMigrations(recorded)).code == "migrations_broken"


@pytest.mark.parametrize("app", ["unknown", "second_app"])
def test_a_first_migration_that_is_not_there(problem, recorded, app) -> None:
    record(recorded, [ONE])
    with code_with({ONE: File([(app, "__first__")])}):
        assert problem(AppliedMigrations(recorded)).code == "migrations_broken"


def test_two_ends_that_are_both_applied_are_degraded(result, recorded) -> None:
    record(recorded, list(LINE))
    with code_with({**LINE, THREE: File([ONE])}):
        told = result(AppliedMigrations(recorded))
    assert told.status is Status.DEGRADED
    assert told.problem.code == "migrations_conflict"
    assert told.problem.evidence["conflicting"] == ["first_app.0002_step", "first_app.0003_step"]
    assert "makemigrations --merge" in told.problem.hint


def test_two_ends_of_which_one_is_pending(problem, recorded) -> None:
    record(recorded, [ONE, TWO])
    with code_with({**LINE, THREE: File([ONE])}):
        told = problem(AppliedMigrations(recorded))
    assert told.code == "migrations_pending"
    assert "makemigrations --merge" in told.hint


@pytest.mark.parametrize("applied", [[ONE, TWO, THREE], [ONE, TWO, SQUASH, THREE]])
@pytest.mark.parametrize("are_kept", [True, False])
def test_a_squash_is_applied_if_all_that_it_replaces_is(result, recorded, applied, are_kept) -> None:
    files = {**(LINE if are_kept else {}), SQUASH: File([], [ONE, TWO]), THREE: File([SQUASH])}
    record(recorded, applied)
    with code_with(files):
        assert result(AppliedMigrations(recorded)).problem is None


def test_a_squash_of_which_half_is_applied(problem, recorded) -> None:
    record(recorded, [ONE])
    with code_with({**LINE, SQUASH: File([], [ONE, TWO])}):
        assert problem(AppliedMigrations(recorded)).evidence["pending"] == [
            "first_app.0002_step",
            "first_app.0003_step",
        ]


@pytest.mark.parametrize(
    ("files", "applied", "skipped"),
    [
        # All that the squash replaces is applied, and so it counts as applied; what it was made to follow is not.
        (
            {ZERO: File(), SQUASH: File([ZERO], [ONE, TWO]), THREE: File([SQUASH])},
            [ONE, TWO, THREE],
            "first_app.0000_step",
        ),
        # The rows of what it replaces were deleted, and so it counts as not applied, whatever its own row says.
        (
            {SQUASH: File([], [ONE, TWO]), THREE: File([SQUASH])},
            [SQUASH, THREE],
            "first_app.0001_squashed_0002_step",
        ),
    ],
)
def test_what_migrate_skips_is_degraded(result, recorded, files, applied, skipped) -> None:
    record(recorded, applied)
    with code_with(files):
        told = result(AppliedMigrations(recorded))
    assert told.status is Status.DEGRADED
    assert told.problem.code == "migrations_skipped"
    assert told.problem.evidence["skipped"] == [skipped]


def test_compiled_files_alone(result, problem, recorded) -> None:
    record(recorded, list(LINE))
    with code_with(LINE) as folder:
        compileall.compile_dir(folder, legacy=True, quiet=1)
        for source in folder.glob("*/*.py"):
            source.unlink()
        importlib.invalidate_caches()
        check = AppliedMigrations(recorded)
        assert result(check).problem is None
        record(recorded, [ONE, TWO])
        assert problem(check).evidence["pending"] == ["first_app.0003_step"]


def test_an_app_that_says_it_has_no_migrations(result, recorded) -> None:
    record(recorded, list(LINE))
    with code_with({**LINE, ("second_app", "0001_step"): File()}):
        modules = {**settings.MIGRATION_MODULES, "second_app": None}
        with override_settings(MIGRATION_MODULES=modules):
            assert result(AppliedMigrations(recorded)).problem is None


def test_many_names_are_cut_and_counted(problem, recorded) -> None:
    with code_with({("first_app", f"{number:04}_step"): File() for number in range(50)}):
        told = problem(AppliedMigrations(recorded))
    assert len(told.evidence["pending"]) == 20
    assert told.evidence["pending_count"] == 50
    assert "and 30 more" in told.message


ODD = {
    "added": "    dependencies = [('first_app', '0001_step')] + []",
    "appended": "    dependencies = [('first_app', '0001_step')]\n    dependencies += [('second_app', '0001_gone')]",
    "commented": "    dependencies = [\n        # ('first_app', '0001_step'),\n    ]",
    "bracket": "    dependencies = [\n        # ]\n        ('first_app', '0009_gone'),\n    ]",
    "itself": "    dependencies = [('first_app', '0002_step')]",
    "later": "    dependencies = [('first_app', '0001_step')]\n\n\nMigration.dependencies = [('x', '0001_gone')]",
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_a_text_that_only_looks_plain(result, recorded, body) -> None:
    """As Django reads it, it is something else: whatever that is, it is found out."""
    record(recorded, [ONE, TWO])
    with code_with({ONE: File(), TWO: File([ONE])}) as folder:
        text = "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
        (folder / "first_app" / "0002_step.py").write_text(f"{text}{body}\n")
        told = result(AppliedMigrations(recorded))
        code, _ = django_says(recorded)
    assert (told.problem.code if told.problem else "") == code


def test_a_base_class_that_replaces(result, recorded) -> None:
    record(recorded, [ONE, TWO])
    with code_with({ONE: File(), TWO: File([ONE])}) as folder:
        (folder / "first_app" / "0002_step.py").write_text(
            "from django.db import migrations\n\n\nclass Base(migrations.Migration):\n"
            "    run_after = [('first_app', '0009_gone')]\n\n\nclass Migration(Base):\n"
            "    dependencies = [('first_app', '0001_step')]\n"
        )
        assert result(AppliedMigrations(recorded)).problem is None
        assert f"{folder.name}.first_app.0002_step" in sys.modules


def test_a_moment_in_which_no_file_can_be_opened_is_not_remembered(result, recorded) -> None:
    record(recorded, [ONE])
    with code_with({ONE: File()}):
        check = AppliedMigrations(recorded)
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        connections[recorded].ensure_connection()
        taken = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, limit[1]))
        try:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(open("/dev/null"))  # noqa: SIM115
            told = result(check)
        finally:
            for file in taken:
                file.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        assert told.problem.code == "migrations_broken"
        assert result(check).problem is None


def test_a_replicas_apps_are_those_of_its_primary(result, problem, migrated) -> None:
    _execute(migrated, "DELETE FROM django_migrations WHERE app = 'vending'")
    with override_settings(DATABASE_ROUTERS=[KeepsOut({"vending"})]):
        assert result(AppliedMigrations(migrated)).problem is None
        assert problem(AppliedMigrations(migrated, like="default")).code == "migrations_pending"
