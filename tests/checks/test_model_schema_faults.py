"""Each change to a schema is reported with the finding that it deserves, or not at all if it is harmless."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections, transaction
from django.test import override_settings

from example_project.postgres import Postgres
from healthguard.checks import ModelSchema
from healthguard.database.schema import FindingKind
from healthguard.status import CheckResult, Status
from tests.support.fixture_types import Connect, RunCheck
from tests.support.machine_services import mariadb_database
from tests.support.roles import OTHER_ROLE, READER
from tests.support.schema_changes import Change
from tests.support.schema_changes.mariadb import MARIADB
from tests.support.schema_changes.postgresql import POSTGRESQL
from tests.support.schema_changes.sqlite import SQLITE

# Each run has its own database, because the MariaDB server is shared by all runs on this machine.
DATABASE = f"healthguard_faults_{os.getpid()}"
INSTALLED = ["healthguard", "django.contrib.contenttypes", "django.contrib.auth", "tests.support.shop"]
UNHEALTHY = {
    *(
        FindingKind.TABLE_MISSING,
        FindingKind.TABLE_UNREADABLE,
        FindingKind.COLUMN_MISSING,
        FindingKind.COLUMN_TYPE,
        FindingKind.UNKNOWN_TYPE,
    ),
    *(FindingKind.COLUMN_UNREADABLE, FindingKind.COLUMN_GENERATED),
}


def assert_only_finding(outcome: CheckResult, change: Change) -> None:
    """Assert that the result reports the finding of ``change`` and no other."""
    if change.kind is None:
        assert outcome.problem is None, outcome.problem
        return
    assert outcome.problem is not None
    assert outcome.status is (Status.UNHEALTHY if change.kind in UNHEALTHY else Status.DEGRADED)
    assert outcome.problem.code == change.kind
    if change.kind is FindingKind.DATABASE_READ_ONLY:
        assert outcome.problem.evidence["read_only"] is True
        return
    evidence: Mapping[str, Any] = outcome.problem.evidence
    if change.names != "*":
        assert [entry if isinstance(entry, str) else entry["column"] for entry in evidence[change.kind]] == [
            change.names
        ]
        assert change.names in outcome.problem.message
        assert {*evidence} - {"alias", "found_in_schemas"} == {change.kind}


@pytest.fixture(scope="module", autouse=True)
def extension(postgres: Postgres) -> Iterator[str]:
    """Install the models of the shop, and yield the name of the extension that defines the type of a column."""
    # The PostgreSQL of the wheel has no other extension with a type; most other servers have at least citext.
    (is_vector,) = postgres.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'")[0]
    extended = "vector(3)" if is_vector else "citext"
    # These two settings must be in effect when the models are imported.
    with (
        override_settings(SHOP_PLUG="shop.OwnPlug", SHOP_EXTENDED=extended),
        override_settings(INSTALLED_APPS=INSTALLED),
    ):
        yield extended.partition("(")[0]


def migrate(alias: str) -> None:
    call_command("migrate", database=alias, verbosity=0, run_syncdb=True)


def change_id(change: Change) -> str:
    return change.sql[:60]


@pytest.fixture(scope="module")
def postgresql(postgres: Postgres, connect_for_module: Connect, extension: str) -> Iterator[str]:
    """The alias of a migrated database with the role ``READER``, which may read everything."""
    url = postgres.create(DATABASE)
    postgres.execute(
        f"DROP ROLE IF EXISTS {READER}; CREATE ROLE {READER}; CREATE SCHEMA audit; "
        f"CREATE EXTENSION {extension};"
        "CREATE DOMAIN email_address AS varchar(254)",
        DATABASE,
    )
    alias = connect_for_module(url, "pg")
    migrate(alias)
    postgres.execute(
        f"GRANT USAGE ON SCHEMA public, audit TO {READER};"
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public, audit TO {READER};"
        f"GRANT CREATE ON SCHEMA public TO {READER}; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {READER}",
        DATABASE,
    )
    yield alias
    connections[alias].close()
    postgres.drop(DATABASE)
    postgres.execute(f"DROP ROLE {READER}")


@pytest.mark.parametrize("change", POSTGRESQL, ids=change_id)
def test_change_on_postgresql_is_reported(result: RunCheck, postgresql: str, extension: str, change: Change) -> None:
    check = ModelSchema(postgresql)
    assert result(check).problem is None
    statements = change.sql
    for name, value in {"extension": extension, "reader": READER, "other_role": OTHER_ROLE}.items():
        statements = statements.replace(f"{{{name}}}", value)
    with transaction.atomic(using=postgresql):
        with connections[postgresql].cursor() as cursor:
            cursor.execute(statements)
            cursor.execute(f"SET LOCAL ROLE {READER}")
        assert_only_finding(result(check), change)
        assert_only_finding(result(ModelSchema(postgresql)), change)
        transaction.set_rollback(True, using=postgresql)
    assert result(check).problem is None


@pytest.fixture(scope="module")
def sqlite(connect_for_module: Connect, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The alias of a migrated database in a file."""
    alias = connect_for_module(f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'db.sqlite3'}", "sqlite")
    migrate(alias)
    connections[alias].close()
    return alias


@pytest.mark.parametrize("change", SQLITE, ids=change_id)
def test_change_on_sqlite_is_reported(result: RunCheck, sqlite: str, change: Change) -> None:
    path = connections[sqlite].settings_dict["NAME"]
    backup = shutil.copy(path, f"{path}.kept")
    check = ModelSchema(sqlite)
    try:
        assert result(check).problem is None
        connections[sqlite].ensure_connection()
        connections[sqlite].connection.executescript(change.sql)
        assert_only_finding(result(check), change)
        assert_only_finding(result(ModelSchema(sqlite)), change)
    finally:
        connections[sqlite].close()
        shutil.move(backup, path)
    assert result(check).problem is None


@pytest.fixture(scope="module")
def migrated_mariadb(connect_for_module: Connect) -> Iterator[str]:
    """The alias of a migrated database that all tests of this module share."""
    with mariadb_database(DATABASE) as url:
        alias = connect_for_module(url, "maria")
        migrate(alias)
        yield alias


@pytest.fixture
def restored_mariadb(migrated_mariadb: str) -> Iterator[str]:
    """The alias of the database, whose changed tables are created again after the test.

    MariaDB cannot roll back a schema change.
    """
    before = _create_statements(migrated_mariadb)
    yield migrated_mariadb
    after = _create_statements(migrated_mariadb)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    with connections[migrated_mariadb].cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0")
        for name in changed & after.keys():
            cursor.execute(f"DROP {'TABLE' if after[name].startswith('CREATE TABLE') else 'VIEW'} `{name}`")
        for name in changed & before.keys():
            cursor.execute(before[name])
    assert _create_statements(migrated_mariadb) == before


def _create_statements(alias: str) -> dict[str, str]:
    """Return the statement that creates each table and view."""
    statements: dict[str, str] = {}
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
        for (name,) in cursor.fetchall():
            cursor.execute(f"SHOW CREATE TABLE `{name}`")
            statements[name] = cursor.fetchone()[1]
    return statements


@pytest.mark.mariadb
@pytest.mark.parametrize("change", MARIADB, ids=change_id)
def test_change_on_mariadb_is_reported(result: RunCheck, restored_mariadb: str, change: Change) -> None:
    check = ModelSchema(restored_mariadb)
    assert result(check).problem is None
    with connections[restored_mariadb].cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0")
        cursor.execute(
            "SELECT CONSTRAINT_NAME FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = DATABASE()"
            " AND TABLE_NAME = 'orders' AND REFERENCED_TABLE_NAME = 'shop_customer'"
        )
        ((foreign_key,),) = cursor.fetchall()
        for statement in change.sql.replace("{fk}", foreign_key).split(";"):
            cursor.execute(statement)
    try:
        assert_only_finding(result(check), change)
        assert_only_finding(result(ModelSchema(restored_mariadb)), change)
    finally:
        with connections[restored_mariadb].cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION READ WRITE")
