"""Schemas that migrations change without the models, databases of other projects, and options of ModelSchema."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

from example_project.postgres import Postgres
from healthguard.checks import AppliedMigrations, ModelSchema
from healthguard.status import Status
from tests.support.fixture_types import Connect, FindProblem, RunCheck
from tests.support.results import problem_of

Install = Callable[[str], tuple[str, str]]
"""``install(operations)`` installs an app, migrates, and returns the app's label and the alias."""

_numbers = itertools.count()
MODELS = """
from django.db import models
class Item(models.Model):
    name = models.CharField(max_length=20)
    note = models.TextField()
class Kept(models.Model):
    item = models.ForeignKey(Item, models.CASCADE, db_constraint=False)
class HistoricalItem(models.Model):
    history_id = models.BigAutoField(primary_key=True)
    id = models.BigIntegerField(db_index=True)
    name = models.CharField(max_length=20)
    note = models.TextField()
class Report(models.Model):
    total = models.IntegerField()
    class Meta:
        managed = False
        db_table = "report"
"""
INITIAL = """
from django.db import migrations, models
class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel("Item", [
            ("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=20)),
            ("note", models.TextField()),
        ]),
        migrations.CreateModel("Kept", [
            ("id", models.BigAutoField(primary_key=True)),
            ("item", models.ForeignKey("APP.Item", models.CASCADE, db_constraint=False)),
        ]),
        migrations.CreateModel("HistoricalItem", [
            ("history_id", models.BigAutoField(primary_key=True)), ("id", models.BigIntegerField(db_index=True)),
            ("name", models.CharField(max_length=20)), ("note", models.TextField()),
        ]),
        migrations.CreateModel("Report", [
            ("id", models.BigAutoField(primary_key=True)), ("total", models.IntegerField()),
        ], options={"managed": False, "db_table": "report"}),
        migrations.RunSQL("CREATE VIEW report AS SELECT 1::bigint AS id, 2 AS total"),
    ]
"""
LATER = """
from django.db import migrations, models
class Migration(migrations.Migration):
    dependencies = [("APP", "0001_initial")]
    operations = [OPERATIONS]
"""


@pytest.fixture
def install(tmp_path: Path, connect: Connect, postgres: Postgres, database: str) -> Iterator[Install]:
    """Install an app whose second migration has the given operations, and migrate a database."""
    app = f"removing_{next(_numbers)}"
    (tmp_path / app / "migrations").mkdir(parents=True)
    for package in (app, f"{app}/migrations"):
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / app / "models.py").write_text(MODELS)
    (tmp_path / app / "migrations" / "0001_initial.py").write_text(INITIAL.replace("APP", app))
    installed = override_settings(
        INSTALLED_APPS=["healthguard", app], DEFAULT_AUTO_FIELD="django.db.models.BigAutoField"
    )

    def install(operations: str) -> tuple[str, str]:
        text = LATER.replace("OPERATIONS", operations).replace("APP", app)
        (tmp_path / app / "migrations" / "0002_later.py").write_text(text)
        importlib.invalidate_caches()
        installed.enable()
        alias = connect(postgres.url_of(database))
        call_command("migrate", database=alias, verbosity=0)
        return app, alias

    sys.path.insert(0, str(tmp_path))
    yield install
    installed.disable()
    sys.path.remove(str(tmp_path))
    for module in [name for name in sys.modules if name.partition(".")[0] == app]:
        del sys.modules[module]


TABLE_REMOVED = [
    "migrations.RunSQL('ALTER TABLE APP_item RENAME TO content_item')",
    "migrations.RunSQL('ALTER TABLE IF EXISTS \"APP_item\" RENAME TO content_item')",
    "migrations.RunSQL('DROP TABLE public.APP_item')",
    "migrations.RunSQL(['DROP TABLE IF EXISTS APP_item CASCADE'])",
    "migrations.RunSQL([('DROP TABLE APP_item', None)])",
    "migrations.RunSQL('-- It moves.\\nCREATE SCHEMA other; ALTER TABLE APP_item SET SCHEMA other')",
    "migrations.SeparateDatabaseAndState([migrations.DeleteModel('Item')])",
    "migrations.SeparateDatabaseAndState([migrations.AlterModelTable('Item', 'content_item')])",
    "migrations.SeparateDatabaseAndState([migrations.RunSQL('DROP TABLE APP_item')])",
    (
        "migrations.RunSQL('DROP TABLE APP_item'), migrations.RunSQL('CREATE TABLE APP_item (id int)'), "
        "migrations.RunSQL('DROP TABLE APP_item')"
    ),
]
COLUMN_REMOVED = [
    "migrations.RunSQL('ALTER TABLE APP_item DROP COLUMN note')",
    "migrations.RunSQL('ALTER TABLE APP_item RENAME COLUMN note TO remark')",
    "migrations.SeparateDatabaseAndState([migrations.RemoveField('Item', 'note')])",
    "migrations.SeparateDatabaseAndState([migrations.RenameField('Item', 'note', 'remark')])",
]


@pytest.mark.parametrize(
    ("operations", "removed"),
    [
        *((operations, "APP_item") for operations in TABLE_REMOVED),
        *((operations, "APP_item.note") for operations in COLUMN_REMOVED),
    ],
)
def test_table_or_column_that_a_migration_removes_is_degraded(
    result: RunCheck, install: Install, operations: str, removed: str
) -> None:
    """The migration changes only the database, so the model still needs the table or column."""
    app, alias = install(operations)
    outcome = result(ModelSchema(alias))
    assert outcome.status is Status.DEGRADED
    assert problem_of(outcome).evidence["removed_by_migration"] == [removed.replace("APP", app)]


@pytest.mark.parametrize(
    "operations",
    [
        "",
        "migrations.RunSQL('DROP TABLE IF EXISTS other')",
        "migrations.RunSQL('ALTER TABLE APP_item RENAME TO x'), migrations.RunSQL('ALTER TABLE x RENAME TO APP_item')",
        (
            "migrations.RunSQL('ALTER TABLE APP_item ADD CONSTRAINT c CHECK (id > 0)'), "
            "migrations.RunSQL('ALTER TABLE APP_item DROP CONSTRAINT c')"
        ),
    ],
)
def test_table_that_no_migration_removes_is_missing(problem: FindProblem, install: Install, operations: str) -> None:
    """Something other than a migration has dropped the table."""
    app, alias = install(operations)
    with connections[alias].cursor() as cursor:
        cursor.execute(f"DROP TABLE {app}_item")
    assert problem(ModelSchema(alias)).code == "table_missing"


@pytest.mark.parametrize("view", ["CREATE VIEW", "CREATE OR REPLACE VIEW", "CREATE MATERIALIZED VIEW"])
def test_view_that_a_migration_creates_need_not_accept_rows(result: RunCheck, install: Install, view: str) -> None:
    """The project only reads such a model."""
    _app, alias = install(
        f"migrations.RunSQL('DROP TABLE APP_kept; {view} APP_kept AS SELECT 1::bigint AS id, 1::bigint AS item_id')"
    )
    assert result(ModelSchema(alias)).problem is None


def test_view_that_no_migration_creates_must_accept_rows(problem: FindProblem, install: Install) -> None:
    app, alias = install("")
    with connections[alias].cursor() as cursor:
        cursor.execute(f"DROP TABLE {app}_kept; CREATE VIEW {app}_kept AS SELECT 1::bigint AS id, 1::bigint AS item_id")
    assert problem(ModelSchema(alias)).code == "table_not_writable"


def test_sequence_behind_the_keys_is_reported_if_declared(
    result: RunCheck, problem: FindProblem, install: Install
) -> None:
    """A sequence stays behind if rows are restored without it."""
    app, alias = install("")
    assert result(ModelSchema(alias, sequences=True)).problem is None
    with connections[alias].cursor() as cursor:
        cursor.execute(f"INSERT INTO {app}_item (id, name, note) VALUES (1, 'x', 'y')")
    assert result(ModelSchema(alias)).problem is None
    assert problem(ModelSchema(alias, sequences=True)).evidence["sequence_behind"] == [f"{app}_item.id"]
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SELECT setval(pg_get_serial_sequence('{app}_item', 'id'), 1)")
    assert result(ModelSchema(alias, sequences=True)).problem is None


def test_copy_of_an_automatic_key_may_be_as_narrow_as_the_key(result: RunCheck, install: Install) -> None:
    """A history table holds copies of keys whose type the app leaves to DEFAULT_AUTO_FIELD."""
    app, alias = install("")
    with connections[alias].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {app}_historicalitem ALTER id TYPE integer")
    outcome = result(ModelSchema(alias))
    assert problem_of(outcome).code == "column_narrower"
    with connections[alias].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {app}_item ALTER id TYPE integer")
    assert result(ModelSchema(alias)).problem is None


def test_view_of_an_unmanaged_model_is_checked_if_declared(
    result: RunCheck, problem: FindProblem, install: Install
) -> None:
    """The view must exist and be readable, but need not accept rows."""
    _, alias = install("")
    assert result(ModelSchema(alias, unmanaged=True)).problem is None
    with connections[alias].cursor() as cursor:
        cursor.execute("DROP VIEW report")
    assert result(ModelSchema(alias)).problem is None
    assert problem(ModelSchema(alias, unmanaged=True)).evidence["table_missing"] == ["report"]


def test_schemas_of_tenants_are_checked_if_declared(result: RunCheck, problem: FindProblem, install: Install) -> None:
    """Every table must exist in each declared schema."""
    app, alias = install("")
    with connections[alias].cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA acme; CREATE TABLE acme.{app}_item (LIKE {app}_item INCLUDING ALL)")
    found = problem(ModelSchema(alias, schemas=["public", "acme"]))
    assert found.evidence["table_missing"] == [f"acme.{app}_kept", f"acme.{app}_historicalitem"]
    with connections[alias].cursor() as cursor:
        cursor.execute(f"CREATE TABLE acme.{app}_kept (LIKE {app}_kept INCLUDING ALL)")
        cursor.execute(f"CREATE TABLE acme.{app}_historicalitem (LIKE {app}_historicalitem INCLUDING ALL)")
    assert result(ModelSchema(alias, schemas=["public", "acme"])).problem is None


@pytest.mark.parametrize(
    "history",
    [
        "DELETE FROM django_migrations",
        "UPDATE django_migrations SET app = 'invoices'",
        "DROP TABLE django_migrations",
    ],
)
def test_hint_never_advises_to_migrate_the_database_of_another_project(
    problem: FindProblem, install: Install, history: str
) -> None:
    """Following the hint must not change anything in a database of another project."""
    _, alias = install("")
    with connections[alias].cursor() as cursor:
        cursor.execute(history)
    found = problem(AppliedMigrations(alias))
    assert found.code == "migrations_pending"
    assert "DATABASE_URL" in found.hint
    assert "migrate'" not in found.hint


def test_hint_never_advises_to_migrate_a_database_without_most_tables(problem: FindProblem, install: Install) -> None:
    app, alias = install("")
    with connections[alias].cursor() as cursor:
        cursor.execute(f"DROP TABLE {app}_item, {app}_kept")
    found = problem(ModelSchema(alias))
    assert found.code == "table_missing"
    assert "migrate'" not in found.hint


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER SEQUENCE APP_item_id_seq MAXVALUE 100000",
        "DROP TABLE APP_item",
        "LOCK TABLE APP_item IN ACCESS EXCLUSIVE MODE",
        "ALTER TABLE APP_item ALTER id TYPE integer",
    ],
)
def test_uncommitted_change_does_not_delay_the_check(
    result: RunCheck, install: Install, postgres: Postgres, database: str, statement: str
) -> None:
    """PostgreSQL delays some reads, such as that of an altered sequence, until the change is committed."""
    app, alias = install("")
    with psycopg.connect(postgres.url_of(database)) as other:
        other.execute(statement.replace("APP", app))
        assert result(ModelSchema(alias)).problem is None
        other.rollback()


def test_evidence_shows_that_tenants_were_not_checked(
    result: RunCheck, connect: Connect, postgres: Postgres, database: str
) -> None:
    alias = connect(postgres.url_of(database), ENGINE="django_tenants.postgresql_backend")
    call_command("migrate", database=alias, verbosity=0)
    outcome = result(ModelSchema(alias))
    assert outcome.problem is None
    assert outcome.evidence["tenants"] == "not checked: declare their schemas"
    outcome = result(ModelSchema(alias, apps=["vending"], schemas=["public"]))
    assert outcome.problem is None
    assert "tenants" not in outcome.evidence
