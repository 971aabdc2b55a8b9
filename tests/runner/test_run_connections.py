"""The database connections of runs: limited, closed at the end, aborted when they hang, never the application's."""

from __future__ import annotations

import gc
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connections
from health_check.base import HealthCheck

from example_project.postgres import Postgres
from healthguard import Service
from healthguard.checks import RequiredTables
from healthguard.database.run_connections import RunConnections
from healthguard.probes import get_state
from healthguard.runner import Run
from tests.support import strange_checks as strange
from tests.support.fixture_types import Connect, Declare
from tests.support.links import Link
from tests.support.runner_checks import WithoutThreads, get_health, wait_for


class Asks(HealthCheck):
    """A check that does not limit the time of its query."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def run(self) -> None:
        with connections[self.alias].cursor() as cursor:
            cursor.execute("SELECT 1")


class AsksAsync(HealthCheck):
    """The check with its query on a thread of an executor, which still waits when the check itself is cancelled."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    async def run(self) -> None:
        await sync_to_async(Asks(self.alias).run)()


class AsksLate(Asks):
    """A check that connects when its run is already aborted."""

    seconds = 0.6

    def run(self) -> None:
        time.sleep(self.seconds)
        super().run()


def test_run_with_a_silent_connection_is_aborted(
    declare: Declare, connect: Connect, postgres: Postgres, database: str
) -> None:
    link = Link(postgres.url_of(database))
    alias = connect(link.url)
    declare({"asks": Service(Asks(alias), timeout=1, ttl=0.1)})
    wait_for(lambda: get_health()[0] == 200)
    link.silence_after_login()
    wait_for(lambda: get_health()[0] == 503)
    link.up()
    wait_for(lambda: get_health()[0] == 200)
    link.down()


def test_connection_that_timed_out_is_closed_at_once(declare: Declare, connect: Connect) -> None:
    """psycopg leaves it to the garbage collection, so until then such connections would accumulate."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        alias = connect(f"postgres://app@127.0.0.1:{port}/x", OPTIONS={"sslmode": "disable"})
        declare({"asks": Service(Asks(alias), timeout=3), "ours": Service(RequiredTables(["t"], alias), timeout=3)})
        gc.disable()
        try:
            get_health()
            wait_for(lambda: "database_timeout" in json.dumps(get_health()[1]["ours"]))
            wait_for(lambda: "database_timeout" in json.dumps(get_health()[1]["asks"]))
            for _ in range(2):
                connection, _ = silent.accept()
                with connection:
                    connection.settimeout(60)
                    while connection.recv(1024):
                        pass
        finally:
            gc.enable()


@pytest.mark.parametrize("check", [AsksAsync, AsksLate])
def test_silent_connection_of_an_executor_or_of_an_aborted_run_is_aborted(
    declare: Declare, connect: Connect, postgres: Postgres, database: str, check: type[AsksAsync | AsksLate]
) -> None:
    link = Link(postgres.url_of(database))
    asks: Any = check(connect(link.url))
    declare({"asks": Service(asks, timeout=0.3, ttl=0.1)}, DEADLINE=0.5)
    if check is AsksAsync:
        wait_for(lambda: get_health()[0] == 200)
    link.silence_after_login()
    before = link.accepted
    wait_for(lambda: get_health()[1]["asks"]["checks"][0].get("code") == "timeout")
    wait_for(lambda: get_health() and link.accepted > before)
    link.up()
    asks.seconds = 0.0
    wait_for(lambda: get_health()[0] == 200)
    link.down()


def test_run_that_is_queued_behind_an_aborted_run_is_aborted_too(
    declare: Declare, connect: Connect, postgres: Postgres, database: str
) -> None:
    link = Link(postgres.url_of(database))
    declare({"asks": Service(Asks(connect(link.url)), timeout=0.3, ttl=0.1)}, DEADLINE=0.1)
    link.silence_after_login()
    while link.accepted < 4:
        get_health(query="fresh=1")
    link.up()
    wait_for(lambda: get_health()[0] == 200)
    link.down()


def test_aborts_in_a_row_are_delayed_longer_each_time_up_to_a_limit(declare: Declare) -> None:
    """Each abort may leave a connection behind on the server, so a long outage must cause few of them."""
    declare({"asks": Service(strange.Fine, timeout=5)})
    (service,) = get_state().tree.services()
    runs = [Run(service, aborts=aborts) for aborts in range(8)]
    delays = [round(run.abort_from - run.started) for run in runs]
    assert delays == [5, 5, 5, 10, 20, 40, 60, 60], "the first three are immediate, later ones at most a minute apart"


def test_a_query_that_waits_for_a_lock_is_cancelled_on_the_server(
    declare: Declare, connect: Connect, postgres: Postgres, database: str
) -> None:
    """This is needed for statements without a limit of the server, for example behind PgBouncer."""
    alias = connect(postgres.url_of(database))
    postgres.execute("CREATE TABLE locked (x integer)", database)

    class ReadsLockedTable(HealthCheck):
        runs = 0

        def run(self) -> None:
            self.runs += 1
            with connections[alias].cursor() as cursor:
                cursor.execute("SET statement_timeout = 0")
                cursor.execute("SELECT * FROM locked")

    reads = ReadsLockedTable()
    declare({"reads": Service(reads, timeout=0.2, ttl=0)}, DEADLINE=0.1)

    def count_waiting_queries() -> int:
        rows: Any = postgres.execute("SELECT count(*) FROM pg_locks WHERE NOT granted", database)
        ((waiting,),) = rows
        return int(waiting)

    with psycopg.connect(postgres.url_of(database)) as other:
        other.execute("LOCK TABLE locked")
        wait_for(lambda: get_health(token="")[0] == 503 and reads.runs >= 4)
        wait_for(lambda: count_waiting_queries() <= 1)
        wait_for(lambda: get_health()[1]["reads"]["checks"][0]["code"] == "timeout")
    wait_for(lambda: get_health()[0] == 200)


def test_checks_run_on_threads_and_connections_of_their_own(
    declare: Declare, connect: Connect, postgres: Postgres, database: str
) -> None:
    """The connections have limits, are closed at the end, and do not come from the application's pool."""
    alias = connect(postgres.url_of(database), OPTIONS={"pool": {"min_size": 1, "max_size": 1, "timeout": 30}})
    seen: dict[str, Any] = {}

    class RecordsConnection(HealthCheck):
        def run(self) -> None:
            connection: Any = connections[alias]
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                seen["pid"] = cursor.fetchone()[0]
            seen["thread"] = threading.current_thread().name
            seen["pool"] = connection.pool
            seen["options"] = connection.get_connection_params()

    application: Any = connections[alias]
    application.ensure_connection()
    application_pid = application.connection.info.backend_pid
    declare({"database": [RecordsConnection(), ("health_check.checks.Database", {"alias": alias})]})
    try:
        status, body = get_health()
        assert status == 200, body
        assert seen["thread"] == "healthguard-database"
        assert seen["pid"] != application_pid
        assert seen["pool"] is None
        assert seen["options"]["connect_timeout"] >= 2
        wait_for(lambda: postgres.execute(f"SELECT 1 FROM pg_stat_activity WHERE pid = {seen['pid']}") == [])
        assert "pool" in application.settings_dict["OPTIONS"], "the application's settings are not touched"
    finally:
        application.close()
        application.close_pool()


def test_many_probes_leave_no_connection_open(
    declare: Declare, connect: Connect, postgres: Postgres, database: str
) -> None:
    alias = connect(postgres.url_of(database))
    declare(
        {
            "database": Service(RequiredTables(["pg_class"], alias), ttl=0),
            "b": ("health_check.checks.Database", {"alias": alias}),
        }
    )
    with ThreadPoolExecutor(12) as pool:
        responses = list(pool.map(lambda _: get_health(), range(60)))
    assert {status for status, _ in responses} == {200}
    count = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'"
    wait_for(lambda: postgres.execute(count) == [(0,)])


def test_connection_is_aborted_although_no_thread_can_be_started(
    connect: Connect, tmp_path: Path, without_threads: WithoutThreads
) -> None:
    file = tmp_path / "site.sqlite3"
    file.touch()
    alias = connect(f"sqlite:///{file}")
    of_run = RunConnections(60)

    def run() -> None:
        with of_run.on_this_thread():
            Asks(alias).run()
            with without_threads("healthguard-abort"):
                of_run.abort(lambda: False)
            with connections[alias].cursor() as cursor, pytest.raises(OperationalError, match="interrupted"):
                cursor.execute(
                    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 10000000) "
                    "SELECT count(*) FROM n"
                )

    # The thread of the tests keeps its own connections.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result()


def test_check_does_not_create_a_missing_sqlite_file(declare: Declare, connect: Connect, tmp_path: Path) -> None:
    alias = connect(f"sqlite:///{tmp_path / 'missing.sqlite3'}")
    declare({"database": RequiredTables(["t"], alias)})
    _, body = get_health()
    assert body["database"]["checks"][0]["code"] == "database_missing"
    assert list(tmp_path.iterdir()) == []


def test_sync_code_in_an_async_check_has_limited_connections_too(
    declare: Declare, connect: Connect, postgres: Postgres, database: str
) -> None:
    alias = connect(postgres.url_of(database))
    seen: list[tuple[threading.Thread, dict[str, Any]]] = []

    class QueriesFromAsyncCode(HealthCheck):
        async def run(self) -> None:
            def query() -> None:
                with connections[alias].cursor() as cursor:
                    cursor.execute("SELECT 1")
                seen.append((threading.current_thread(), connections[alias].get_connection_params()))

            await sync_to_async(query)()
            await sync_to_async(query)()

    declare({"database": QueriesFromAsyncCode()})
    assert get_health()[0] == 200
    assert seen[0][0] is seen[1][0]
    assert seen[0][0].daemon
    assert "connect_timeout" in seen[0][1]
