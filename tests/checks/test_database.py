"""Which database this is: by the settings and by the server, on every engine."""

from __future__ import annotations

import sqlite3

import pytest
from health_check.base import HealthCheck

from healthguard.checks import AppliedMigrations, DatabaseName, RequiredTables
from healthguard.status import Fault, Status


def test_the_right_database_is_silent_and_tells_its_server(result, connect, postgres, database) -> None:
    told = result(DatabaseName(database, connect(postgres.url_of(database))))
    assert told.status is Status.HEALTHY
    assert told.evidence["server"] == "postgresql"
    assert told.evidence["actual"] == told.evidence["expected"] == database
    assert told.evidence["read_only"] is False
    assert told.evidence["version"][0].isdigit()


def test_the_settings_name_another_database(problem, connect, postgres, database) -> None:
    told = problem(DatabaseName("rsolv_platform_prod", connect(postgres.url_of(database))))
    assert (told.code, told.fault) == ("wrong_database", Fault.CONFIG)
    assert told.evidence["expected"] == "rsolv_platform_prod"
    assert told.evidence["actual"] == database
    assert "settings" in told.message


def test_a_wrong_name_is_told_even_when_nothing_can_be_reached(problem, connect) -> None:
    alias = connect("postgres://app:pw@127.0.0.1:1/rsolv_landing_prod")
    assert problem(DatabaseName("rsolv_platform_prod", alias)).code == "wrong_database"
    told = problem(DatabaseName("rsolv_landing_prod", alias))
    assert (told.code, told.fault) == ("database_unreachable", Fault.OUTAGE)
    assert "pw" not in repr(told).replace("postgres", "")


def test_the_server_names_another_database_than_the_settings(problem, connect, postgres, database) -> None:
    """As behind a PgBouncer whose entry of this name leads to another database."""
    alias = connect(postgres.url_of("rsolv_platform_prod"), OPTIONS={"dbname": database})
    told = problem(DatabaseName("rsolv_platform_prod", alias))
    assert told.code == "wrong_database"
    assert "server" in told.message
    assert told.evidence["actual"] == database
    assert told.evidence["server"] == "postgresql"


def test_a_database_that_does_not_exist(problem, connect, postgres) -> None:
    told = problem(DatabaseName("nowhere", connect(postgres.url_of("nowhere"))))
    assert (told.code, told.fault) == ("database_missing", Fault.CONFIG)


def test_a_user_that_does_not_exist(problem, connect, postgres, database) -> None:
    told = problem(DatabaseName(database, connect(postgres.url_as("nobody", database))))
    assert (told.code, told.fault) == ("database_credentials", Fault.CONFIG)


def test_a_read_only_database_is_degraded_unless_it_is_declared(result, problem, connect, postgres, database) -> None:
    postgres.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    alias = connect(postgres.url_of(database))
    told = problem(DatabaseName(database, alias))
    assert (told.code, told.fault) == ("database_read_only", Fault.OUTAGE)
    assert told.evidence["read_only"] is True
    assert result(DatabaseName(database, alias)).status is Status.DEGRADED
    declared = result(DatabaseName(database, alias, read_only=True))
    assert (declared.status, declared.evidence["read_only"]) == (Status.HEALTHY, True)


@pytest.mark.parametrize("expected", ["right.sqlite3", "{folder}/right.sqlite3"])
def test_sqlite_by_file_name_or_path(result, problem, connect, tmp_path, expected) -> None:
    sqlite3.connect(tmp_path / "right.sqlite3").execute("CREATE TABLE t (x)").connection.close()
    alias = connect(f"sqlite:///{tmp_path / 'right.sqlite3'}")
    told = result(DatabaseName(expected.format(folder=tmp_path), alias))
    assert told.status is Status.HEALTHY
    assert told.evidence["actual"] == "right.sqlite3"
    assert problem(DatabaseName("wrong.sqlite3", alias)).code == "wrong_database"


def test_sqlite_through_a_link(result, connect, tmp_path) -> None:
    sqlite3.connect(tmp_path / "data-42.sqlite3").execute("CREATE TABLE t (x)").connection.close()
    (tmp_path / "current.sqlite3").symlink_to("data-42.sqlite3")
    alias = connect(f"sqlite:///{tmp_path / 'current.sqlite3'}")
    assert result(DatabaseName("current.sqlite3", alias)).problem is None
    assert result(DatabaseName("data-42.sqlite3", alias)).problem is not None, "the settings name the link"


def test_a_table_that_a_strangers_check_misses_is_no_outage(problem, connect, tmp_path) -> None:
    from django.db import connections

    class Selects(HealthCheck):
        alias = "other"

        def run(self) -> None:
            connections["other"].cursor().execute("SELECT * FROM no_such_table")

    connect(f"sqlite:///{tmp_path / 'db.sqlite3'}")
    told = problem(Selects())
    assert (told.code, told.fault) == ("database_error", Fault.CONFIG)


@pytest.mark.parametrize("name", ["postgres://u:s3cretpw@h/db", "u:s3cretpw@h"])
def test_a_url_in_the_place_of_a_name_is_not_told(problem, connect, postgres, database, name) -> None:
    alias = connect(postgres.url_of(database))
    assert "s3cretpw" not in repr(problem(DatabaseName(name, alias)))
    assert "s3cretpw" not in repr(problem(DatabaseName("x", connect("postgres://h/x", "odd", NAME=name))))


@pytest.mark.parametrize(
    "check", [DatabaseName("prod", "none"), RequiredTables(["t"], "none"), AppliedMigrations("none")]
)
def test_no_database_at_all_is_not_green(problem, connect, check) -> None:
    """What ``dj_database_url.config()`` gives where DATABASE_URL is not set."""
    told = problem_without_database(problem, connect, check)
    assert told.fault is Fault.CONFIG
    assert told.code in ("database_engine", "wrong_database")


def problem_without_database(problem, connect, check):
    connect("postgres://h/x", "none", ENGINE="django.db.backends.dummy", NAME="")
    return problem(check)


@pytest.mark.mariadb
def test_mariadb(result, problem, connect, mariadb) -> None:
    name = mariadb.rpartition("/")[2]
    alias = connect(mariadb)
    told = result(DatabaseName(name, alias))
    assert told.status is Status.HEALTHY, told
    assert told.evidence["server"] == "mariadb"
    assert told.evidence["read_only"] is False
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
def test_mariadb_that_refuses(problem, connect, mariadb, url, code, fault) -> None:
    told = problem(DatabaseName("nowhere", connect(url)))
    assert (told.code, told.fault) == (code, fault)


def test_an_alias_that_does_not_exist(problem) -> None:
    told = problem(DatabaseName("x", "nowhere"))
    assert (told.code, told.fault) == ("unknown_alias", Fault.CONFIG)


def test_an_engine_that_cannot_be_loaded(problem, connect) -> None:
    told = problem(DatabaseName("x", connect("postgres://h/x", ENGINE="no.such.engine")))
    assert (told.code, told.fault) == ("database_engine", Fault.CONFIG)
