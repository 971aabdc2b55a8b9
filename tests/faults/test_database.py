"""Faults of the database are reported in time by all pods, and are over as soon as the database works again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import psycopg

from example_project.postgres import Postgres
from tests.faults.cluster import DATABASE, PASSWORD, USER, Cluster
from tests.faults.fixture_types import Dependencies, RunFault
from tests.faults.pods import Fleet
from tests.support.links import Link
from tests.support.sites import Site, wait_until
from tests.support.slow_statements import RUNNING, most_at_once

SECTION = "database"
ALL = ("pooled", "rows")
"""The other services that use the same database."""

WITH_PSYCOPG2 = """
import sys
# Django prefers the newer one.
sys.modules["psycopg"] = None
import dj_database_url
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
HEALTHGUARD = {
    "SERVICES": {"sleeps": Service("tests.support.slow_statements.Sleeps", ttl=0.3, timeout=1)}, "DEADLINE": 0.1
}
"""


@contextlib.contextmanager
def stopped(cluster: Cluster) -> Iterator[None]:
    """Stop the server, and start it again afterwards."""
    cluster.stop()
    try:
        yield
    finally:
        cluster.start()


@contextlib.contextmanager
def interrupted(link: Link, method: str) -> Iterator[None]:
    """Call this method of the link, and open the link again afterwards."""
    getattr(link, method)()
    try:
        yield
    finally:
        link.up()


@contextlib.contextmanager
def full(cluster: Cluster) -> Iterator[None]:
    """Take all connections of the server."""
    with contextlib.ExitStack() as stack:
        taken: list[psycopg.Connection] = []

        def is_full() -> bool:
            before = len(taken)
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    taken.append(stack.enter_context(psycopg.connect(cluster.url)))
            return len(taken) == before

        while not is_full():
            # A connection of a pod may end shortly after the first refusal.
            time.sleep(0.5)
        yield


@contextlib.contextmanager
def locked(cluster: Cluster) -> Iterator[None]:
    """Alter a table without committing, as a slow migration does."""
    with cluster.session() as session, session.transaction(force_rollback=True):
        session.execute("ALTER TABLE customers ADD COLUMN extra integer")
        yield


@contextlib.contextmanager
def altered(cluster: Cluster, broken: str, fixed: str) -> Iterator[None]:
    """Run the statement ``broken``, and ``fixed`` afterwards."""
    with cluster.session() as session:
        session.execute("SET default_transaction_read_only = off")
        session.execute(broken.encode())
        session.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            session.execute(fixed.encode())
            session.execute("SELECT pg_reload_conf()")


def test_stopped_server_is_unreachable(run_fault: RunFault, dependencies: Dependencies) -> None:
    expected = "unhealthy database_unreachable"
    run_fault(SECTION, "the server is stopped", "database", expected, stopped(dependencies.cluster), also=ALL)


def test_closed_port_is_unreachable(run_fault: RunFault, dependencies: Dependencies) -> None:
    expected = "unhealthy database_unreachable"
    injected = interrupted(dependencies.link, "down")
    run_fault(SECTION, "nothing listens on its port", "database", expected, injected, also=ALL)


def test_frozen_server_is_a_timeout(run_fault: RunFault, dependencies: Dependencies) -> None:
    fault = "the server's processes are frozen (SIGSTOP)"
    injected = dependencies.cluster.frozen()
    run_fault(SECTION, fault, "database", "unhealthy database_timeout", injected, also=ALL)


def test_silent_server_is_a_timeout(run_fault: RunFault, dependencies: Dependencies) -> None:
    fault = "its port accepts connections and never answers"
    injected = interrupted(dependencies.link, "silence")
    run_fault(SECTION, fault, "database", "unhealthy database_timeout", injected, also=ALL)


def test_server_that_falls_silent_after_the_login_is_a_timeout(run_fault: RunFault, dependencies: Dependencies) -> None:
    """A run ends although its connection stays silent permanently, also after new connections work again."""
    fault = "it stops responding after the login, permanently"
    injected = interrupted(dependencies.link, "silence_after_login")
    run_fault(SECTION, fault, "database", "unhealthy timeout", injected, also=ALL)


def test_dropped_packets_are_a_timeout(run_fault: RunFault, dependencies: Dependencies) -> None:
    fault = "a firewall drops every packet"
    injected = interrupted(dependencies.link, "blackhole")
    run_fault(SECTION, fault, "database", "unhealthy database_timeout", injected, also=ALL)


def test_exhausted_connections_are_reported(run_fault: RunFault, dependencies: Dependencies) -> None:
    fault = "max_connections is exhausted"
    expected = "unhealthy database_connections_exhausted"
    run_fault(SECTION, fault, "database", expected, full(dependencies.cluster), also=ALL)


def test_locked_tables_delay_no_catalog_query(run_fault: RunFault, dependencies: Dependencies) -> None:
    """Only a check that reads the table waits for the lock, and its connections do not accumulate on the server."""
    fault = "an uncommitted ALTER TABLE holds its lock: a check that reads the table"
    injected = locked(dependencies.cluster)
    outcome = run_fault(SECTION, fault, "rows", "unhealthy database_timeout", injected, counts_connections=True)
    assert outcome.connections is not None
    assert outcome.connections <= 4 * 3, "a pod has no more than one connection per service"
    fault = "an uncommitted ALTER TABLE holds its lock: all other checks"
    run_fault(SECTION, fault, "database", "healthy", locked(dependencies.cluster), also=("rows",))


def test_read_only_server_is_degraded(run_fault: RunFault, dependencies: Dependencies) -> None:
    injected = altered(
        dependencies.cluster,
        "ALTER SYSTEM SET default_transaction_read_only = on",
        "ALTER SYSTEM RESET default_transaction_read_only",
    )
    expected = "degraded database_read_only"
    run_fault(SECTION, "the server becomes read-only", "database", expected, injected, also=("pooled",))


def test_changed_password_is_reported(run_fault: RunFault, dependencies: Dependencies) -> None:
    injected = altered(
        dependencies.cluster, f"ALTER ROLE {USER} PASSWORD 'rotated'", f"ALTER ROLE {USER} PASSWORD '{PASSWORD}'"
    )
    expected = "unhealthy database_credentials"
    run_fault(SECTION, "the password is changed", "database", expected, injected, also=ALL)


def test_restart_between_two_probes_is_not_reported(healthy_fleet: Fleet, dependencies: Dependencies) -> None:
    """The checks keep no connection between two runs, so none of them uses a stale one."""
    # A run in flight would find the stopped server.
    for pod in healthy_fleet:
        wait_until(pod.has_no_run_in_flight)
    dependencies.cluster.stop()
    dependencies.cluster.start()
    for pod in healthy_fleet:
        responses = [pod.get() for _ in range(10)]
        assert {response.reply.status for response in responses} == {200}, (pod.name, responses[-1].reply.json)


def test_exhausted_application_pool_affects_no_check(run_fault: RunFault, healthy_fleet: Fleet) -> None:
    @contextlib.contextmanager
    def exhausted_pool() -> Iterator[None]:
        try:
            for pod in healthy_fleet:
                assert pod.server.get("/hog", host="example.com").body == b"exhausted", pod.server.log
            yield
        finally:
            for pod in healthy_fleet:
                assert pod.server.get("/release", host="example.com").status == 200

    fault = "the application's own connection pool is exhausted"
    # psycopg_pool has a scheduler and three workers.
    run_fault(SECTION, fault, "pooled", "healthy", exhausted_pool(), extra_threads=4)


def test_no_connection_is_left_behind(healthy_fleet: Fleet, dependencies: Dependencies) -> None:
    for pod in healthy_fleet:
        pod.watch(2)
    left = f"SELECT * FROM pg_stat_activity WHERE datname = '{DATABASE}' AND state_change < now() - interval '3 s'"
    wait_until(lambda: not dependencies.cluster.execute(left), lambda: dependencies.cluster.execute(left))


def test_statements_do_not_pile_up_on_the_server_with_psycopg2(site: Site, postgres: Postgres, database: str) -> None:
    """psycopg2 cannot cancel a statement without blocking the process, but the server ends it."""
    site.environment["DATABASE_URL"] = postgres.url_of(database)
    server = site.write(WITH_PSYCOPG2, adaptor="middleware").serve()
    assert most_at_once(lambda: postgres.execute(RUNNING.format(database=database)), server.get) <= 2
