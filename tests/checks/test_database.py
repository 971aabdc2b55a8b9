"""DatabaseName compares the declared name with the settings and with the server, on every engine."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from health_check.base import HealthCheck

from example_project.postgres import Postgres
from healthguard.checks import AppliedMigrations, DatabaseName, RequiredTables
from healthguard.status import Fault, Status
from tests.support.fixture_types import Connect, FindProblem, RunCheck


def test_right_database_is_healthy_with_evidence_of_its_server(
    result: RunCheck, connect: Connect, postgres: Postgres, database: str
) -> None:
    outcome = result(DatabaseName(database, connect(postgres.url_of(database))))
    assert outcome.status is Status.HEALTHY
    evidence: Mapping[str, Any] = outcome.evidence
    assert evidence["server"] == "postgresql"
    assert evidence["actual"] == evidence["expected"] == database
    assert evidence["read_only"] is False
    assert evidence["version"][0].isdigit()


def test_the_settings_name_another_database(
    problem: FindProblem, connect: Connect, postgres: Postgres, database: str
) -> None:
    found = problem(DatabaseName("rsolv_platform_prod", connect(postgres.url_of(database))))
    assert (found.code, found.fault) == ("wrong_database", Fault.CONFIG)
    assert found.evidence["expected"] == "rsolv_platform_prod"
    assert found.evidence["actual"] == database
    assert "settings" in found.message


def test_wrong_name_in_the_settings_is_reported_without_a_server(problem: FindProblem, connect: Connect) -> None:
    alias = connect("postgres://app:pw@127.0.0.1:1/rsolv_landing_prod")
    assert problem(DatabaseName("rsolv_platform_prod", alias)).code == "wrong_database"
    found = problem(DatabaseName("rsolv_landing_prod", alias))
    assert (found.code, found.fault) == ("database_unreachable", Fault.OUTAGE)
    assert "pw" not in repr(found).replace("postgres", "")


def test_server_with_another_database_than_the_settings_is_reported(
    problem: FindProblem, connect: Connect, postgres: Postgres, database: str
) -> None:
    """A PgBouncer may map the name in the settings to another database."""
    alias = connect(postgres.url_of("rsolv_platform_prod"), OPTIONS={"dbname": database})
    found = problem(DatabaseName("rsolv_platform_prod", alias))
    assert found.code == "wrong_database"
    assert "server" in found.message
    assert found.evidence["actual"] == database
    assert found.evidence["server"] == "postgresql"


def test_database_that_does_not_exist_is_missing(problem: FindProblem, connect: Connect, postgres: Postgres) -> None:
    found = problem(DatabaseName("nowhere", connect(postgres.url_of("nowhere"))))
    assert (found.code, found.fault) == ("database_missing", Fault.CONFIG)


def test_user_that_does_not_exist_is_a_problem_of_credentials(
    problem: FindProblem, connect: Connect, postgres: Postgres, database: str
) -> None:
    found = problem(DatabaseName(database, connect(postgres.url_as("nobody", database))))
    assert (found.code, found.fault) == ("database_credentials", Fault.CONFIG)


def test_read_only_database_is_degraded_unless_declared(
    result: RunCheck, problem: FindProblem, connect: Connect, postgres: Postgres, database: str
) -> None:
    postgres.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    alias = connect(postgres.url_of(database))
    found = problem(DatabaseName(database, alias))
    assert (found.code, found.fault) == ("database_read_only", Fault.OUTAGE)
    assert found.evidence["read_only"] is True
    assert result(DatabaseName(database, alias)).status is Status.DEGRADED
    declared = result(DatabaseName(database, alias, read_only=True))
    assert (declared.status, declared.evidence["read_only"]) == (Status.HEALTHY, True)


@pytest.mark.parametrize("expected", ["right.sqlite3", "{folder}/right.sqlite3"])
def test_sqlite_database_is_declared_by_file_name_or_path(
    result: RunCheck, problem: FindProblem, connect: Connect, tmp_path: Path, expected: str
) -> None:
    sqlite3.connect(tmp_path / "right.sqlite3").execute("CREATE TABLE t (x)").connection.close()
    alias = connect(f"sqlite:///{tmp_path / 'right.sqlite3'}")
    outcome = result(DatabaseName(expected.format(folder=tmp_path), alias))
    assert outcome.status is Status.HEALTHY
    assert outcome.evidence["actual"] == "right.sqlite3"
    assert problem(DatabaseName("wrong.sqlite3", alias)).code == "wrong_database"


def test_name_of_a_symbolic_link_to_a_sqlite_file_is_compared(
    result: RunCheck, connect: Connect, tmp_path: Path
) -> None:
    sqlite3.connect(tmp_path / "data-42.sqlite3").execute("CREATE TABLE t (x)").connection.close()
    (tmp_path / "current.sqlite3").symlink_to("data-42.sqlite3")
    alias = connect(f"sqlite:///{tmp_path / 'current.sqlite3'}")
    assert result(DatabaseName("current.sqlite3", alias)).problem is None
    assert result(DatabaseName("data-42.sqlite3", alias)).problem is not None, (
        "the settings contain the name of the link"
    )


def test_missing_table_in_a_foreign_check_is_not_an_outage(
    problem: FindProblem, connect: Connect, tmp_path: Path
) -> None:
    class Selects(HealthCheck):
        alias = "other"

        def run(self) -> None:
            connections["other"].cursor().execute("SELECT * FROM no_such_table")

    connect(f"sqlite:///{tmp_path / 'db.sqlite3'}")
    found = problem(Selects())
    assert (found.code, found.fault) == ("database_error", Fault.CONFIG)


@pytest.mark.parametrize("name", ["postgres://u:s3cretpw@h/db", "u:s3cretpw@h"])
def test_password_of_a_url_that_is_declared_as_a_name_is_not_shown(
    problem: FindProblem, connect: Connect, postgres: Postgres, database: str, name: str
) -> None:
    alias = connect(postgres.url_of(database))
    assert "s3cretpw" not in repr(problem(DatabaseName(name, alias)))
    assert "s3cretpw" not in repr(problem(DatabaseName("x", connect("postgres://h/x", "odd", NAME=name))))


@pytest.mark.parametrize(
    "check", [DatabaseName("prod", "none"), RequiredTables(["t"], "none"), AppliedMigrations("none")]
)
def test_missing_database_settings_are_a_problem(
    problem: FindProblem, connect: Connect, check: DatabaseName | RequiredTables | AppliedMigrations
) -> None:
    """``dj_database_url.config()`` returns empty settings if DATABASE_URL is not set."""
    connect("postgres://h/x", "none", ENGINE="django.db.backends.dummy", NAME="")
    found = problem(check)
    assert found.fault is Fault.CONFIG
    assert found.code in ("database_engine", "wrong_database")


@pytest.mark.mariadb
def test_name_is_compared_on_mariadb(result: RunCheck, problem: FindProblem, connect: Connect, mariadb: str) -> None:
    name = mariadb.rpartition("/")[2]
    alias = connect(mariadb)
    outcome = result(DatabaseName(name, alias))
    assert outcome.status is Status.HEALTHY, outcome
    assert outcome.evidence["server"] == "mariadb"
    assert outcome.evidence["read_only"] is False
    assert problem(DatabaseName("rsolv_platform_prod", alias)).code == "wrong_database"


@pytest.mark.mariadb
@pytest.mark.parametrize(
    ("url", "code", "fault"),
    [
        ("mysql://root@127.0.0.1:3306/nowhere", "database_missing", Fault.CONFIG),
        ("mysql://nobody:wrong@127.0.0.1:3306/nowhere", "database_credentials", Fault.CONFIG),
        ("mysql://root@127.0.0.1:1/nowhere", "database_unreachable", Fault.OUTAGE),
    ],
)
def test_refused_connection_to_mariadb_is_reported(
    problem: FindProblem, connect: Connect, mariadb: str, url: str, code: str, fault: Fault
) -> None:
    found = problem(DatabaseName("nowhere", connect(url)))
    assert (found.code, found.fault) == (code, fault)


def test_alias_that_does_not_exist_is_reported(problem: FindProblem) -> None:
    found = problem(DatabaseName("x", "nowhere"))
    assert (found.code, found.fault) == ("unknown_alias", Fault.CONFIG)


def test_engine_that_cannot_be_loaded_is_reported(problem: FindProblem, connect: Connect) -> None:
    found = problem(DatabaseName("x", connect("postgres://h/x", ENGINE="no.such.engine")))
    assert (found.code, found.fault) == ("database_engine", Fault.CONFIG)


def test_offline_part_keeps_the_name_that_it_was_made_with(result: RunCheck, connect: Connect) -> None:
    """The test runner of a project replaces the name in the settings by that of the test database."""
    alias = connect("postgres://app@127.0.0.1:1/shop")
    offline = DatabaseName("shop", alias).offline()
    settings.DATABASES[alias]["NAME"] = "test_shop"
    assert result(offline).status is Status.HEALTHY
    assert result(DatabaseName("shop", alias).offline()).status is Status.UNHEALTHY
