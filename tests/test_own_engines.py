"""A run's own connections on engines that other packages provide, as their drivers and servers see them."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connections
from health_check.base import HealthCheck

from healthguard import Service
from healthguard.checks import DatabaseName, RequiredTables
from healthguard.respond import Request, respond

POOLED = {
    "dj_db_conn_pool.backends.postgresql": {"POOL_OPTIONS": {"POOL_SIZE": 2, "MAX_OVERFLOW": 0, "TIMEOUT": 1}},
    "django_db_geventpool.backends.postgresql_psycopg3": {"OPTIONS": {"MAX_CONNS": 2}},
}
LIBPQ_LIMITS = ("connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout")


@pytest.fixture
def ask(healthguard_settings):
    """Declare services, and return the status code and the body of one answer."""

    def ask(**services):
        healthguard_settings(services, DETAILS_TOKENS=["details-" * 4], DEADLINE=20)
        answer = respond(Request("GET", "", "", f"Bearer {'details-' * 4}"))
        return answer.status, json.loads(answer.body)

    return ask


class Records(HealthCheck):
    """A foreign check that keeps what its connection is."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.backends: list[int] = []
        self.parameters: dict[str, str] = {}

    def run(self) -> None:
        connection = connections[self.alias]
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            self.backends.append(cursor.fetchone()[0])
        self.parameters = connection.connection.info.get_parameters()
        # Django's own housekeeping between requests, and a second connection after it.
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            self.backends.append(cursor.fetchone()[0])


class Held:
    """A connection of the application, used by a thread of its own for as long as the block lasts."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._is_over, self._is_ready = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold)

    def _hold(self) -> None:
        with connections[self._alias].cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            self.backend = cursor.fetchone()[0]
            held = connections[self._alias].connection
            self.parameters = getattr(held, "driver_connection", held).info.get_parameters()
            self._is_ready.set()
            assert self._is_over.wait(60)
            cursor.execute("SELECT pg_backend_pid(), current_setting('statement_timeout')")
            self.afterwards = cursor.fetchone()
        connections[self._alias].close()

    def __enter__(self) -> Held:
        self._thread.start()
        assert self._is_ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()


@pytest.fixture
def no_pool_left() -> Iterator[None]:
    """Close the pools that the engines keep for the whole process."""
    yield
    from dj_db_conn_pool.core import pool_container
    from django_db_geventpool.backends.base import DatabaseWrapperMixin

    pool_container.dispose()
    pool_container.clear()
    for pool in DatabaseWrapperMixin._connection_pools.values():
        pool.close()
    DatabaseWrapperMixin._connection_pools.clear()


@pytest.fixture(params=POOLED)
def pooled(request, connect, postgres, database, no_pool_left) -> str:
    """An alias whose engine keeps a pool of two connections."""
    return connect(postgres.url_of(database), ENGINE=request.param, **POOLED[request.param])


def test_exhausted_pool_of_an_engine_does_not_fail_a_check(ask, pooled, database) -> None:
    """With both of the pool's connections in use, checks run on a connection of their own."""
    records = Records(pooled)
    with Held(pooled) as one, Held(pooled) as other:
        checks = [DatabaseName(database, pooled), ("health_check.checks.Database", {"alias": pooled}), records]
        status, body = ask(database=checks)
    assert status == 200, body
    assert len(set(records.backends) | {one.backend, other.backend}) == 4


def test_pooled_connection_of_the_application_carries_no_limit_of_ours(ask, pooled) -> None:
    """A connection that the pool opens after a run has the application's parameters alone."""
    records = Records(pooled)
    status, body = ask(database=records)
    with Held(pooled) as application:
        pass
    assert status == 200, body
    assert set(LIBPQ_LIMITS) <= set(records.parameters)
    assert not set(LIBPQ_LIMITS) & set(application.parameters)
    assert application.backend not in records.backends


def test_pooled_connection_of_the_application_is_neither_closed_nor_replaced(ask, pooled) -> None:
    """A connection that the application holds during a run is the same afterwards, without a time limit."""
    with Held(pooled) as application:
        assert ask(database=Service(RequiredTables(["pg_class"], pooled)))[0] == 200
    assert application.afterwards == (application.backend, "0")


def test_own_connections_of_a_pooled_engine_are_really_closed(ask, pooled, postgres, database) -> None:
    """No connection of a run is handed to the engine's pool."""
    records = Records(pooled)
    assert ask(database=records)[0] == 200
    alive = postgres.execute(f"SELECT pid FROM pg_stat_activity WHERE datname = '{database}'")
    assert not {pid for (pid,) in alive} & set(records.backends)


def test_engine_that_counts_queries_still_counts_those_of_checks(ask, connect, postgres, database) -> None:
    """django-prometheus: the cursors that the engine adds are used on a run's own connection."""
    execute_total = pytest.importorskip("django_prometheus.db").execute_total
    alias = connect(postgres.url_of(database), ENGINE="django_prometheus.db.backends.postgresql")
    records = Records(alias)
    status, body = ask(database=[records, DatabaseName(database, alias)])
    assert status == 200, body
    assert execute_total.labels(alias, "postgresql")._value.get() >= 2
    assert set(LIBPQ_LIMITS) <= set(records.parameters)


def test_parameters_that_an_engine_adds_are_kept(ask, connect, postgres, database) -> None:
    """An engine that makes a password or a name for each connection is asked for it by a run's own too."""
    alias = connect(postgres.url_of(database), ENGINE="tests.engines.tokens")
    records = Records(alias)
    status, body = ask(database=records)
    assert status == 200, body
    assert records.parameters["application_name"] == "made for this connection"


def test_engine_that_only_opens_in_its_own_way_is_left_as_it_is(ask, connect, postgres, database) -> None:
    """Credentials that are fetched when a connection is opened are fetched for a run's own connection too."""
    from tests.engines.credentials.base import DatabaseWrapper

    DatabaseWrapper.fetched["dbname"] = database
    alias = connect(postgres.url_of("no_such_database"), ENGINE="tests.engines.credentials")
    assert ask(database=("health_check.checks.Database", {"alias": alias}))[0] == 200


def test_engine_resets_its_own_state_when_its_connection_is_closed(ask, connect, postgres, database) -> None:
    """An engine that sets the search_path once a connection, as django-tenants, sets it on the next one too."""
    alias = connect(postgres.url_of(database), ENGINE="tests.engines.tenants")
    postgres.execute("CREATE SCHEMA tenant", database)
    seen = []

    class Looks(HealthCheck):
        def run(self) -> None:
            for _ in range(2):
                with connections[alias].cursor() as cursor:
                    cursor.execute("SELECT current_schema()")
                    seen.append(cursor.fetchone()[0])
                connections[alias].close()

    status, body = ask(database=Looks())
    assert status == 200, body
    assert seen == ["tenant", "tenant"]


@pytest.mark.parametrize("vendor", ["postgresql", "mysql", "sqlite", "oracle", "other"])
def test_unknown_engine_gets_no_option_that_it_does_not_take(ask, connect, tmp_path, vendor, monkeypatch) -> None:
    """An engine with a driver of its own is connected to with exactly what is declared."""
    from tests.engines.strict.base import DatabaseWrapper

    monkeypatch.setattr(DatabaseWrapper, "vendor", vendor)
    monkeypatch.setattr(DatabaseWrapper, "seen", [])
    file = tmp_path / "strict.sqlite3"
    file.touch()
    alias = connect(f"sqlite:///{file}", ENGINE="tests.engines.strict", OPTIONS={"color": "blue"})

    class Asks(HealthCheck):
        def run(self) -> None:
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT 1")

    status, body = ask(database=Asks())
    assert status == 200, body
    assert DatabaseWrapper.seen == [{"color": "blue", "path": str(file)}]


def test_wrong_option_is_still_an_error(ask, connect, postgres, database) -> None:
    """What the application's own connection would not accept fails the check as well."""
    alias = connect(postgres.url_of(database), OPTIONS={"CONECT_TIMEOUT": 3})
    status, _ = ask(database=RequiredTables(["pg_class"], alias))
    with pytest.raises(psycopg.ProgrammingError), contextlib.closing(connections[alias]) as connection:
        connection.Database.connect(**connection.get_connection_params())
    assert status == 503
