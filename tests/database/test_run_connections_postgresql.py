"""The connections of a run on PostgreSQL: the server stops slow statements, also if the driver cannot cancel them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import ProgrammingError, connections, transaction
from health_check.base import HealthCheck

from example_project.postgres import Postgres
from healthguard import Service
from healthguard.database.run_engines import run_connection
from tests.support.fixture_types import Connect, Declare, RunAsService
from tests.support.runner_checks import DETAILS_TOKEN, get_health, wait_for
from tests.support.slow_statements import RUNNING, Sleeps, most_at_once


class RecordsLimit(HealthCheck):
    """A foreign check that stores the time limit of its session."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.limit = ""

    def run(self) -> None:
        with connections[self.alias].cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            self.limit = cursor.fetchone()[0]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "2400ms"),
        ({"options": "-c statement_timeout=150"}, "150ms"),
        ({"options": "-c statement_timeout=1h"}, "2400ms"),
        ({"options": "-c statement_timeout=0"}, "2400ms"),
    ],
)
def test_server_limits_the_statements_of_a_run(
    healthguard_settings: Declare,
    connect: Connect,
    postgres: Postgres,
    database: str,
    options: dict[str, str],
    expected: str,
) -> None:
    """The limit is four fifths of the service's timeout, or the shorter one that the settings declare."""
    check = RecordsLimit(connect(postgres.url_of(database), OPTIONS=options))
    healthguard_settings({"database": Service(check, timeout=3)}, DEADLINE=30)
    assert get_health(token="")[0] == 200
    assert check.limit == expected


def test_limit_is_kept_if_a_check_rolls_back(
    run_as_a_service: RunAsService, connect: Connect, postgres: Postgres, database: str
) -> None:
    """The limit is not part of a transaction, although connections may begin one with their first statement."""
    check = RecordsLimit(connect(postgres.url_of(database), AUTOCOMMIT=False))

    class RollsBack(HealthCheck):
        def run(self) -> None:
            connections[check.alias].ensure_connection()
            connections[check.alias].rollback()

    run_as_a_service(RollsBack(), check)
    assert check.limit not in ("", "0")


def test_connections_of_the_application_have_no_statement_limit(
    healthguard_settings: Declare, connect: Connect, postgres: Postgres, database: str
) -> None:
    check = RecordsLimit(connect(postgres.url_of(database)))
    healthguard_settings({"database": check}, DEADLINE=30)
    assert get_health(token="")[0] == 200
    application = RecordsLimit(check.alias)
    application.run()
    assert check.limit != "0"
    assert application.limit == "0"


def test_statements_do_not_pile_up_on_the_server_if_the_driver_cannot_cancel_them(
    healthguard_settings: Declare,
    connect: Connect,
    postgres: Postgres,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server stops each statement by its time limit, although the check runs again and again."""
    # psycopg with libpq 16 or older.
    monkeypatch.setattr(psycopg.capabilities, "has_cancel_safe", lambda: False)
    check = Sleeps(connect(postgres.url_of(database)))
    healthguard_settings({"database": Service(check, ttl=0.3, timeout=1)}, DETAILS_TOKENS=[DETAILS_TOKEN], DEADLINE=0.1)

    def list_running() -> list[tuple[Any, ...]]:
        return postgres.execute(RUNNING.format(database=database))

    # On a busy machine, the server may stop a statement shortly after the next one has begun.
    assert most_at_once(list_running, get_health) <= 2
    healthguard_settings({"database": RecordsLimit(check.alias)}, DEADLINE=30)
    wait_for(lambda: not list_running())


@pytest.fixture
def pooled(connect: Connect, postgres: Postgres, database: str) -> Iterator[str]:
    """The alias of a run's connection that limits each transaction, as behind a pooler."""
    alias = connect(postgres.url_of(database))
    application = connections[alias]
    connection = run_connection(alias, 60, lambda *_: None)
    connection.ensure_connection()
    connection.transaction_prefix = "SET LOCAL statement_timeout = 54321; "
    connections[alias] = connection
    yield alias
    connection.close()
    connections[alias] = application


LIMIT = "SELECT current_setting('statement_timeout'), %s::integer"


def test_transaction_behind_a_pooler_is_limited(pooled: str) -> None:
    """A result of the statement that sets the limit is not returned."""
    with connections[pooled].cursor() as cursor:
        cursor.execute(LIMIT, [1])
        assert cursor.fetchall() == [("54321ms", 1)]
        with transaction.atomic(using=pooled):
            cursor.execute("CREATE TABLE colors (name text)")
            cursor.execute(LIMIT, [2])
            assert cursor.fetchall() == [("54321ms", 2)]
        cursor.execute("INSERT INTO colors VALUES ('blue'), ('red')")
        assert cursor.rowcount == 2


def test_check_behind_a_pooler_may_roll_back_to_a_savepoint(pooled: str) -> None:
    with transaction.atomic(using=pooled), connections[pooled].cursor() as cursor:
        cursor.execute("SELECT 1")
        with pytest.raises(ProgrammingError), transaction.atomic(using=pooled):
            cursor.execute("SELECT * FROM no_such_table")
        cursor.execute(LIMIT, [3])
        assert cursor.fetchall() == [("54321ms", 3)]


def test_statements_that_accept_no_limit_of_a_transaction_work_behind_a_pooler(pooled: str) -> None:
    with connections[pooled].cursor() as cursor:
        cursor.execute("CREATE TABLE colors (name text)")
        cursor.execute("VACUUM colors")
        cursor.execute("CREATE PROCEDURE paint() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'")
    # The first statement of its transaction.
    with connections[pooled].cursor() as cursor:
        cursor.execute("CALL paint()")
        cursor.executemany("INSERT INTO colors VALUES (%s)", [("blue",), ("red",)])
    with transaction.atomic(using=pooled), connections[pooled].chunked_cursor() as chunked:
        chunked.execute("SELECT name FROM colors ORDER BY name")
        assert chunked.fetchall() == [("blue",), ("red",)]
