"""A run's own connections on MariaDB: each driver gets what it takes, and the server ends what takes too long."""

from __future__ import annotations

import contextlib
import json
import time

import pymysql
import pytest
from django.db import connections
from health_check.base import HealthCheck
from mysql.connector.constants import DEFAULT_CONFIGURATION

from healthguard import Service
from healthguard.checks import DatabaseName
from healthguard.driver_limits import bounded
from healthguard.respond import Request, respond

pytestmark = pytest.mark.mariadb

PYMYSQL = "django.db.backends.mysql"
CONNECTOR = "mysql.connector.django"
TOKEN = "details-" * 4


def ask() -> tuple[int, dict]:
    answer = respond(Request("GET", "", "", f"Bearer {TOKEN}"))
    return answer.status, json.loads(answer.body)


@pytest.fixture
def declare(healthguard_settings):
    def declare(*checks, deadline=20.0, **policy):
        healthguard_settings({"database": Service(list(checks), **policy)}, DETAILS_TOKENS=[TOKEN], DEADLINE=deadline)

    return declare


ENDLESS = [
    "SELECT BENCHMARK(4000000000, MD5('x'))",
    "SELECT COUNT(*) FROM seq_1_to_1000000 AS a, seq_1_to_1000000 AS b",
]


class Settings(HealthCheck):
    """A foreign check that keeps the session's time limit and the driver's parameters."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def run(self) -> None:
        connection = connections[self.alias]
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@session.max_statement_time")
            self.limit = float(cursor.fetchone()[0])
        self.parameters = connection.get_connection_params()


class Computes(HealthCheck):
    """A foreign check whose query takes hours of the server's processor."""

    def __init__(self, alias: str, sql: str) -> None:
        self.alias, self.sql, self.runs = alias, sql, 0

    def run(self) -> None:
        self.runs += 1
        with connections[self.alias].cursor() as cursor:
            cursor.execute(self.sql)
            cursor.fetchall()


@pytest.fixture(params=[PYMYSQL, CONNECTOR])
def alias(request, connect, mariadb) -> str:
    return connect(mariadb, ENGINE=request.param)


@pytest.fixture
def computing(mariadb):
    """Count the queries of ``Computes`` that the server is running."""
    name = mariadb.rpartition("/")[2]
    with pymysql.connect(host="127.0.0.1", user="root") as watching, watching.cursor() as cursor:

        def count() -> int:
            cursor.execute(
                "SELECT COUNT(*) FROM information_schema.processlist WHERE db = %s AND info IN %s", [name, ENDLESS]
            )
            return int(cursor.fetchone()[0])

        yield count
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", [name])
        for (left,) in cursor.fetchall():
            # It may have ended in the meantime.
            with contextlib.suppress(pymysql.err.OperationalError):
                cursor.execute("KILL %s", [left])


def test_own_connection_works_with_each_driver(declare, alias, mariadb) -> None:
    declare(DatabaseName(mariadb.rpartition("/")[2], alias), ("health_check.checks.Database", {"alias": alias}))
    status, body = ask()
    assert status == 200, body


def test_statements_of_own_connections_are_limited_by_the_server(declare, alias) -> None:
    """The limit is four fifths of the service's timeout, like every other limit of a run."""
    settings = Settings(alias)
    declare(settings, timeout=3)
    assert ask()[0] == 200
    assert settings.limit == pytest.approx(2.4)


def test_connections_of_the_application_have_no_statement_limit(declare, alias) -> None:
    declare(Settings(alias))
    assert ask()[0] == 200
    application = Settings(alias)
    application.run()
    assert application.limit == 0


@pytest.mark.parametrize("sql", ENDLESS)
def test_query_that_computes_does_not_pile_up_on_the_server(declare, alias, computing, sql) -> None:
    """The server ends such a query, although its check is run again and again."""
    check = Computes(alias, sql)
    declare(check, timeout=2, ttl=0.3, deadline=0.1)
    running = []
    ends = time.monotonic() + 60
    while check.runs < 4:
        assert time.monotonic() < ends
        ask()
        time.sleep(0.05)
        running.append(computing())
    # On a busy machine the server may end one a moment after the driver has stopped waiting for it.
    assert 1 <= max(running) <= 2
    declare(Settings(alias))
    while computing():
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_connector_gets_only_what_its_version_takes(declare, connect, mariadb) -> None:
    """Options of the driver's own pool are left out: a pool belongs to the application."""
    options = {"pool_name": "ours", "pool_size": 1, "connect_timeout": 1}
    alias = connect(mariadb, ENGINE=CONNECTOR, OPTIONS=options)
    settings = Settings(alias)
    declare(settings)
    assert ask()[0] == 200
    assert settings.parameters["connection_timeout"] == 1
    assert not {"pool_name", "pool_size", "connect_timeout"} & set(settings.parameters)
    optional = {"read_timeout", "write_timeout"}
    assert optional & set(settings.parameters) == optional & set(DEFAULT_CONFIGURATION)


def test_connector_that_knows_read_timeouts_gets_them(monkeypatch) -> None:
    """Versions from 9.2 on, whose configuration lists them."""
    monkeypatch.setitem(DEFAULT_CONFIGURATION, "read_timeout", None)
    monkeypatch.setitem(DEFAULT_CONFIGURATION, "write_timeout", None)
    limits = bounded("mysql.connector", {"read_timeout": 2}, 4.0)
    assert limits == {"connection_timeout": 4, "read_timeout": 2, "write_timeout": 4}
