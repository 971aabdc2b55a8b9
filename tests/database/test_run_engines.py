"""The connections of a run on engines of other packages."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connections
from health_check.base import HealthCheck

from example_project.postgres import Postgres
from healthguard import Service
from healthguard.checks import DatabaseName, RequiredTables
from healthguard.http.handler import Request, respond
from tests.support.fixture_types import Connect, Declare
from tests.support.sites import wait_until

GetHealth = Callable[..., tuple[int, dict[str, Any]]]
"""``get_health(name=checks)`` declares services and returns the status code and the body of one response."""

POOLED: dict[str, dict[str, Any]] = {
    "dj_db_conn_pool.backends.postgresql": {"POOL_OPTIONS": {"POOL_SIZE": 2, "MAX_OVERFLOW": 0, "TIMEOUT": 1}},
    "django_db_geventpool.backends.postgresql_psycopg3": {"OPTIONS": {"MAX_CONNS": 2}},
}
LIBPQ_LIMITS = ("connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout")


@pytest.fixture
def get_health(healthguard_settings: Declare) -> GetHealth:
    """Declare services, and return the status code and the body of one response."""

    def get_health(**services: Any) -> tuple[int, dict[str, Any]]:
        healthguard_settings(services, DETAILS_TOKENS=["details-" * 4], DEADLINE=20)
        response = respond(Request("GET", "", "", f"Bearer {'details-' * 4}"))
        return response.status, json.loads(response.body)

    return get_health


class ConnectionRecorder(HealthCheck):
    """A foreign check that stores the process ids of the server and the parameters of its connections."""

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
        # Close the connection as Django does between requests, and open a second one.
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            self.backends.append(cursor.fetchone()[0])


class HeldConnection:
    """A connection of the application that another thread uses while the block runs."""

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

    def __enter__(self) -> HeldConnection:
        self._thread.start()
        assert self._is_ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()


@pytest.fixture
def close_pools() -> Iterator[None]:
    """Close the pools of the engines after the test, which would otherwise stay open until the process ends."""
    yield
    from dj_db_conn_pool.core import pool_container
    from django_db_geventpool.backends.base import DatabaseWrapperMixin

    pool_container.dispose()
    pool_container.clear()
    for pool in DatabaseWrapperMixin._connection_pools.values():
        pool.close()
    DatabaseWrapperMixin._connection_pools.clear()


@pytest.fixture(params=POOLED)
def pooled(
    request: pytest.FixtureRequest, connect: Connect, postgres: Postgres, database: str, close_pools: None
) -> str:
    """The alias of a database whose engine has a pool of two connections."""
    return connect(postgres.url_of(database), ENGINE=request.param, **POOLED[request.param])


def test_exhausted_pool_of_an_engine_does_not_fail_a_check(get_health: GetHealth, pooled: str, database: str) -> None:
    """Checks run on other connections while both connections of the pool are in use."""
    recorder = ConnectionRecorder(pooled)
    with HeldConnection(pooled) as one, HeldConnection(pooled) as other:
        checks = [DatabaseName(database, pooled), ("health_check.checks.Database", {"alias": pooled}), recorder]
        status, body = get_health(database=checks)
    assert status == 200, body
    assert len(set(recorder.backends) | {one.backend, other.backend}) == 4


def test_pooled_connection_of_the_application_has_no_limits_of_a_run(get_health: GetHealth, pooled: str) -> None:
    """A connection that the pool opens after a run has only the parameters of the application."""
    recorder = ConnectionRecorder(pooled)
    status, body = get_health(database=recorder)
    with HeldConnection(pooled) as application:
        pass
    assert status == 200, body
    assert set(LIBPQ_LIMITS) <= set(recorder.parameters)
    assert not set(LIBPQ_LIMITS) & set(application.parameters)
    assert application.backend not in recorder.backends


def test_pooled_connection_of_the_application_is_neither_closed_nor_replaced(
    get_health: GetHealth, pooled: str
) -> None:
    """A connection that the application holds during a run is the same afterwards, without a time limit."""
    with HeldConnection(pooled) as application:
        assert get_health(database=Service(RequiredTables(["pg_class"], pooled)))[0] == 200
    assert application.afterwards == (application.backend, "0")


def test_connections_of_a_run_are_closed_with_a_pooled_engine(
    get_health: GetHealth, pooled: str, postgres: Postgres, database: str
) -> None:
    """The connections of a run never become part of the engine's pool."""
    recorder = ConnectionRecorder(pooled)
    assert get_health(database=recorder)[0] == 200
    backends = ", ".join(map(str, recorder.backends))
    alive = f"SELECT pid, state FROM pg_stat_activity WHERE datname = '{database}' AND pid IN ({backends})"
    # The server ends the process of a closed connection after a moment.
    wait_until(lambda: postgres.execute(alive) == [], lambda: postgres.execute(alive))


def test_engine_that_counts_queries_counts_those_of_checks(
    get_health: GetHealth, connect: Connect, postgres: Postgres, database: str
) -> None:
    """The connections of a run use the cursors that the engine of django-prometheus adds."""
    execute_total = pytest.importorskip("django_prometheus.db").execute_total
    alias = connect(postgres.url_of(database), ENGINE="django_prometheus.db.backends.postgresql")
    recorder = ConnectionRecorder(alias)
    status, body = get_health(database=[recorder, DatabaseName(database, alias)])
    assert status == 200, body
    assert execute_total.labels(alias, "postgresql")._value.get() >= 2
    assert set(LIBPQ_LIMITS) <= set(recorder.parameters)


def test_parameters_that_an_engine_adds_are_used(
    get_health: GetHealth, connect: Connect, postgres: Postgres, database: str
) -> None:
    """An engine may create a password or a name for each connection, including those of a run."""
    alias = connect(postgres.url_of(database), ENGINE="tests.support.engines.tokens")
    recorder = ConnectionRecorder(alias)
    status, body = get_health(database=recorder)
    assert status == 200, body
    assert recorder.parameters["application_name"] == "made for this connection"


def test_engine_that_overrides_only_how_connections_are_opened_is_used_unchanged(
    get_health: GetHealth, connect: Connect, postgres: Postgres, database: str
) -> None:
    """Such an engine may fetch credentials for each connection that it opens, including those of a run."""
    from tests.support.engines.credentials.base import DatabaseWrapper

    DatabaseWrapper.fetched["dbname"] = database
    alias = connect(postgres.url_of("no_such_database"), ENGINE="tests.support.engines.credentials")
    assert get_health(database=("health_check.checks.Database", {"alias": alias}))[0] == 200


def test_engine_resets_its_own_state_when_its_connection_is_closed(
    get_health: GetHealth, connect: Connect, postgres: Postgres, database: str
) -> None:
    """The engine of django-tenants sets the search_path once per connection, so the next connection needs it again."""
    alias = connect(postgres.url_of(database), ENGINE="tests.support.engines.tenants")
    postgres.execute("CREATE SCHEMA tenant", database)
    schemas: list[str] = []

    class SchemaRecorder(HealthCheck):
        def run(self) -> None:
            for _ in range(2):
                with connections[alias].cursor() as cursor:
                    cursor.execute("SELECT current_schema()")
                    schemas.append(cursor.fetchone()[0])
                connections[alias].close()

    status, body = get_health(database=SchemaRecorder())
    assert status == 200, body
    assert schemas == ["tenant", "tenant"]


@pytest.mark.parametrize("vendor", ["postgresql", "mysql", "sqlite", "oracle", "other"])
def test_unknown_engine_gets_only_the_declared_options(
    get_health: GetHealth, connect: Connect, tmp_path: Path, vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver of such an engine may not accept the options that limit other drivers."""
    from tests.support.engines.strict.base import DatabaseWrapper

    monkeypatch.setattr(DatabaseWrapper, "vendor", vendor)
    monkeypatch.setattr(DatabaseWrapper, "seen", [])
    file = tmp_path / "strict.sqlite3"
    file.touch()
    alias = connect(f"sqlite:///{file}", ENGINE="tests.support.engines.strict", OPTIONS={"color": "blue"})

    class SimpleQuery(HealthCheck):
        def run(self) -> None:
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT 1")

    status, body = get_health(database=SimpleQuery())
    assert status == 200, body
    assert DatabaseWrapper.seen == [{"color": "blue", "path": str(file)}]


def test_option_that_the_driver_does_not_accept_fails_the_check(
    get_health: GetHealth, connect: Connect, postgres: Postgres, database: str
) -> None:
    """The connection of the application does not accept the option either."""
    alias = connect(postgres.url_of(database), OPTIONS={"CONECT_TIMEOUT": 3})
    status, _ = get_health(database=RequiredTables(["pg_class"], alias))
    application: Any = connections[alias]
    with pytest.raises(psycopg.ProgrammingError), contextlib.closing(application):
        application.Database.connect(**application.get_connection_params())
    assert status == 503
