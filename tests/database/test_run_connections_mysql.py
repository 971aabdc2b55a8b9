"""The connections of a run on MariaDB: each driver gets supported parameters, and the server stops slow queries."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pymysql
import pytest
from django.db import connections
from health_check.base import HealthCheck
from mysql.connector.constants import DEFAULT_CONFIGURATION

from healthguard import Service
from healthguard.checks import DatabaseName
from healthguard.database.driver_limits import bounded
from healthguard.http.handler import Request, respond
from tests.support.fixture_types import Connect, Declare

pytestmark = pytest.mark.mariadb

DeclareDatabase = Callable[..., None]
"""``declare(*checks, deadline=20.0, **policy)`` declares a service with these checks."""

PYMYSQL = "django.db.backends.mysql"
CONNECTOR = "mysql.connector.django"
TOKEN = "details-" * 4


def get_health() -> tuple[int, dict[str, Any]]:
    """Return the status code and the body of one response."""
    response = respond(Request("GET", "", "", f"Bearer {TOKEN}"))
    return response.status, json.loads(response.body)


@pytest.fixture
def declare(healthguard_settings: Declare) -> DeclareDatabase:
    """Declare the service ``database`` with checks."""

    def declare(*checks: Any, deadline: float = 20.0, **policy: Any) -> None:
        healthguard_settings({"database": Service(list(checks), **policy)}, DETAILS_TOKENS=[TOKEN], DEADLINE=deadline)

    return declare


ENDLESS = [
    "SELECT BENCHMARK(4000000000, MD5('x'))",
    "SELECT COUNT(*) FROM seq_1_to_1000000 AS a, seq_1_to_1000000 AS b",
]


class SettingsRecorder(HealthCheck):
    """A foreign check that stores the session's time limit and the driver's parameters."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def run(self) -> None:
        connection = connections[self.alias]
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@session.max_statement_time")
            self.limit = float(cursor.fetchone()[0])
        self.parameters = connection.get_connection_params()


class HeavyQuery(HealthCheck):
    """A foreign check whose query would keep the server's processor busy for hours."""

    def __init__(self, alias: str, sql: str) -> None:
        self.alias, self.sql, self.runs = alias, sql, 0

    def run(self) -> None:
        self.runs += 1
        with connections[self.alias].cursor() as cursor:
            cursor.execute(self.sql)
            cursor.fetchall()


@pytest.fixture(params=[PYMYSQL, CONNECTOR])
def alias(request: pytest.FixtureRequest, connect: Connect, mariadb: str) -> str:
    """The alias of a database on MariaDB, with each driver."""
    return connect(mariadb, ENGINE=request.param)


@pytest.fixture
def count_queries(mariadb: str) -> Iterator[Callable[[], int]]:
    """Count the queries of ``HeavyQuery`` that the server is running."""
    name = mariadb.rpartition("/")[2]
    with pymysql.connect(host="127.0.0.1", user="root") as connection, connection.cursor() as cursor:

        def query_ids() -> list[int]:
            cursor.execute(
                "SELECT id FROM information_schema.processlist WHERE db = %s AND info IN %s", [name, ENDLESS]
            )
            return [row[0] for row in cursor.fetchall()]

        yield lambda: len(query_ids())
        # Only a test that failed leaves a query that the server does not stop by itself.
        for remaining in query_ids():
            with contextlib.suppress(pymysql.MySQLError):
                cursor.execute("KILL %s", [remaining])


def test_checks_run_on_connections_of_each_driver(declare: DeclareDatabase, alias: str, mariadb: str) -> None:
    declare(DatabaseName(mariadb.rpartition("/")[2], alias), ("health_check.checks.Database", {"alias": alias}))
    status, body = get_health()
    assert status == 200, body


def test_server_limits_the_statements_of_a_run(declare: DeclareDatabase, alias: str) -> None:
    """The limit is four fifths of the service's timeout, like every other limit of a run."""
    settings = SettingsRecorder(alias)
    declare(settings, timeout=3)
    assert get_health()[0] == 200
    assert settings.limit == pytest.approx(2.4)


def test_connections_of_the_application_have_no_statement_limit(declare: DeclareDatabase, alias: str) -> None:
    declare(SettingsRecorder(alias))
    assert get_health()[0] == 200
    application = SettingsRecorder(alias)
    application.run()
    assert application.limit == 0


@pytest.mark.parametrize("sql", ENDLESS)
def test_endless_queries_do_not_pile_up_on_the_server(
    declare: DeclareDatabase, alias: str, count_queries: Callable[[], int], sql: str
) -> None:
    """The server stops each query by its time limit, although the check runs again and again."""
    check = HeavyQuery(alias, sql)
    declare(check, timeout=2, ttl=0.3, deadline=0.1)
    running: list[int] = []
    end = time.monotonic() + 60
    while check.runs < 4:
        assert time.monotonic() < end
        get_health()
        time.sleep(0.05)
        running.append(count_queries())
    # On a busy machine, the server may stop a query shortly after the driver has stopped waiting for it.
    assert 1 <= max(running) <= 2
    declare(SettingsRecorder(alias))
    while count_queries():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_connector_gets_only_parameters_that_its_version_supports(
    declare: DeclareDatabase, connect: Connect, mariadb: str
) -> None:
    """The options of the driver's own pool are left out, because a pool belongs to the application."""
    options = {"pool_name": "ours", "pool_size": 1, "connect_timeout": 1}
    alias = connect(mariadb, ENGINE=CONNECTOR, OPTIONS=options)
    settings = SettingsRecorder(alias)
    declare(settings)
    assert get_health()[0] == 200
    assert settings.parameters["connection_timeout"] == 1
    assert not {"pool_name", "pool_size", "connect_timeout"} & set(settings.parameters)
    optional = {"read_timeout", "write_timeout"}
    assert optional & set(settings.parameters) == optional & set(DEFAULT_CONFIGURATION)


def test_connector_that_supports_read_timeouts_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration of MySQL Connector lists these timeouts since version 9.2."""
    monkeypatch.setitem(DEFAULT_CONFIGURATION, "read_timeout", None)
    monkeypatch.setitem(DEFAULT_CONFIGURATION, "write_timeout", None)
    limits = bounded("mysql.connector", {"read_timeout": 2}, 4.0)
    assert limits == {"connection_timeout": 4, "read_timeout": 2, "write_timeout": 4}
