"""Tables that the migrations take away, histories of other projects, and what is only checked if asked for."""

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

from healthguard.checks import AppliedMigrations, ModelSchema
from healthguard.status import Status

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
def install(tmp_path: Path, connect, postgres, database) -> Iterator[Callable[[str], tuple[str, str]]]:
    """Install an app whose second migration has these operations, and migrate: the app's label and the alias."""
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
def test_what_a_migration_takes_away_is_degraded(result, install, operations, removed) -> None:
    """Case T1: the migrations are applied and the models are unchanged."""
    app, alias = install(operations)
    told = result(ModelSchema(alias))
    assert told.status is Status.DEGRADED
    assert told.problem.evidence["removed_by_migration"] == [removed.replace("APP", app)]


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
def test_table_that_no_migration_takes_away_is_missing(problem, install, operations) -> None:
    """Somebody else has dropped it."""
    app, alias = install(operations)
    with connections[alias].cursor() as cursor:
        cursor.execute(f"DROP TABLE {app}_item")
    assert problem(ModelSchema(alias)).code == "table_missing"


@pytest.mark.parametrize("view", ["CREATE VIEW", "CREATE OR REPLACE VIEW", "CREATE MATERIALIZED VIEW"])
def test_view_that_a_migration_creates_need_not_take_rows(result, install, view) -> None:
    """The model is there to be read."""
    _app, alias = install(
        f"migrations.RunSQL('DROP TABLE APP_kept; {view} APP_kept AS SELECT 1::bigint AS id, 1::bigint AS item_id')"
    )
    assert result(ModelSchema(alias)).problem is None


def test_view_that_somebody_else_created_must_take_rows(problem, install) -> None:
    """Case T21."""
    app, alias = install("")
    with connections[alias].cursor() as cursor:
        cursor.execute(f"DROP TABLE {app}_kept; CREATE VIEW {app}_kept AS SELECT 1::bigint AS id, 1::bigint AS item_id")
    assert problem(ModelSchema(alias)).code == "table_not_writable"


def test_sequence_behind_the_keys_is_reported_if_asked_for(result, problem, install) -> None:
    """Case T31: rows were restored without their sequence."""
    app, alias = install("")
    assert result(ModelSchema(alias, sequences=True)).problem is None
    with connections[alias].cursor() as cursor:
        cursor.execute(f"INSERT INTO {app}_item (id, name, note) VALUES (1, 'x', 'y')")
    assert result(ModelSchema(alias)).problem is None
    assert problem(ModelSchema(alias, sequences=True)).evidence["sequence_behind"] == [f"{app}_item.id"]
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SELECT setval(pg_get_serial_sequence('{app}_item', 'id'), 1)")
    assert result(ModelSchema(alias, sequences=True)).problem is None


def test_copy_of_an_automatic_key_may_be_as_narrow_as_the_key(result, install) -> None:
    """Case T2: a history table, where the app leaves the type of its keys to DEFAULT_AUTO_FIELD."""
    app, alias = install("")
    with connections[alias].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {app}_historicalitem ALTER id TYPE integer")
    told = result(ModelSchema(alias))
    assert told.problem.code == "column_narrower"
    with connections[alias].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {app}_item ALTER id TYPE integer")
    assert result(ModelSchema(alias)).problem is None


def test_view_of_an_unmanaged_model_is_checked_if_asked_for(result, problem, install) -> None:
    """Case T36: it must exist and can be read; that it takes no rows does not matter."""
    _, alias = install("")
    assert result(ModelSchema(alias, unmanaged=True)).problem is None
    with connections[alias].cursor() as cursor:
        cursor.execute("DROP VIEW report")
    assert result(ModelSchema(alias)).problem is None
    assert problem(ModelSchema(alias, unmanaged=True)).evidence["table_missing"] == ["report"]


def test_schemas_of_tenants_are_checked_if_asked_for(result, problem, install) -> None:
    """Case T35: every table must exist in each of them."""
    app, alias = install("")
    with connections[alias].cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA acme; CREATE TABLE acme.{app}_item (LIKE {app}_item INCLUDING ALL)")
    told = problem(ModelSchema(alias, schemas=["public", "acme"]))
    assert told.evidence["table_missing"] == [f"acme.{app}_kept", f"acme.{app}_historicalitem"]
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
def test_history_of_another_project_is_never_to_be_migrated(problem, install, history) -> None:
    """Case T51: who obeys the hint changes nothing in somebody else's database."""
    _, alias = install("")
    with connections[alias].cursor() as cursor:
        cursor.execute(history)
    told = problem(AppliedMigrations(alias))
    assert told.code == "migrations_pending"
    assert "DATABASE_URL" in told.hint
    assert "migrate'" not in told.hint


def test_database_without_most_tables_is_never_to_be_migrated(problem, install) -> None:
    """The same hint for tables."""
    app, alias = install("")
    with connections[alias].cursor() as cursor:
        cursor.execute(f"DROP TABLE {app}_item, {app}_kept")
    told = problem(ModelSchema(alias))
    assert told.code == "table_missing"
    assert "migrate'" not in told.hint


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER SEQUENCE APP_item_id_seq MAXVALUE 100000",
        "DROP TABLE APP_item",
        "LOCK TABLE APP_item IN ACCESS EXCLUSIVE MODE",
        "ALTER TABLE APP_item ALTER id TYPE integer",
    ],
)
def test_change_that_is_not_committed_delays_nothing(result, install, postgres, database, statement) -> None:
    """The values of a sequence cannot be read while somebody changes it."""
    app, alias = install("")
    with psycopg.connect(postgres.url_of(database)) as other:
        other.execute(statement.replace("APP", app))
        assert result(ModelSchema(alias)).problem is None
        other.rollback()
