"""Migrations: pending, inconsistent, ahead; and quiet about what is none of these."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from healthguard.checks import AppliedMigrations
from healthguard.status import Fault, Status


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
