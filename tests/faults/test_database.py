"""A database in every kind of trouble: the truth is told in time, by everybody, and heals by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg

from tests.faults.cluster import DATABASE, PASSWORD, USER, Cluster
from tests.links import Link
from tests.sites import wait_until

SECTION = "database"
ALL = ("pooled", "rows")


@contextlib.contextmanager
def stopped(cluster: Cluster) -> Iterator[None]:
    cluster.stop()
    try:
        yield
    finally:
        cluster.start()


@contextlib.contextmanager
def on(link: Link, trouble: str) -> Iterator[None]:
    getattr(link, trouble)()
    try:
        yield
    finally:
        link.up()


@contextlib.contextmanager
def full(cluster: Cluster) -> Iterator[None]:
    """Somebody else has taken every connection there is."""
    with contextlib.ExitStack() as taken:
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                taken.enter_context(psycopg.connect(cluster.url))
        yield


@contextlib.contextmanager
def locked(cluster: Cluster) -> Iterator[None]:
    """A migration has altered a table and does not commit."""
    with cluster.session() as session, session.transaction(force_rollback=True):
        session.execute("ALTER TABLE customers ADD COLUMN extra integer")
        yield


@contextlib.contextmanager
def altered(cluster: Cluster, broken: str, mended: str) -> Iterator[None]:
    with cluster.session() as session:
        session.execute("SET default_transaction_read_only = off")
        session.execute(broken.encode())
        session.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            session.execute(mended.encode())
            session.execute("SELECT pg_reload_conf()")


def test_stopped(play, surroundings) -> None:
    told = "unhealthy database_unreachable"
    play(SECTION, "the server is stopped", "database", told, stopped(surroundings.cluster), also=ALL)


def test_refusing(play, surroundings) -> None:
    told = "unhealthy database_unreachable"
    play(SECTION, "nothing listens on its port", "database", told, on(surroundings.link, "down"), also=ALL)


def test_frozen(play, surroundings) -> None:
    fault = "the server's processes are frozen (SIGSTOP)"
    play(SECTION, fault, "database", "unhealthy database_timeout", surroundings.cluster.frozen(), also=ALL)


def test_accepting_but_silent(play, surroundings) -> None:
    fault = "its port accepts and never answers"
    played = on(surroundings.link, "silence")
    play(SECTION, fault, "database", "unhealthy database_timeout", played, also=ALL)


def test_silent_in_the_middle_of_a_run(play, surroundings) -> None:
    """What has gone silent stays so, also when new connections are served again: the run must not wait for it."""
    fault = "it falls silent after the login, for good"
    played = on(surroundings.link, "silence_after_login")
    play(SECTION, fault, "database", "unhealthy timeout", played, also=ALL)


def test_blackholed(play, surroundings) -> None:
    fault = "a firewall drops every packet"
    played = on(surroundings.link, "blackhole")
    play(SECTION, fault, "database", "unhealthy database_timeout", played, also=ALL)


def test_no_connection_left(play, surroundings) -> None:
    fault = "max_connections is used up"
    play(SECTION, fault, "database", "unhealthy database_full", full(surroundings.cluster), also=ALL)


def test_locked_tables_delay_no_catalog_query(play, surroundings) -> None:
    """A check that reads the table itself waits for the lock; its waits do not pile up on the server."""
    fault = "an uncommitted ALTER TABLE holds its lock: a check that reads the table"
    played = locked(surroundings.cluster)
    outcome = play(SECTION, fault, "rows", "unhealthy timeout", played, counts_connections=True)
    assert outcome.connections is not None
    assert outcome.connections <= 4 * 3, "a pod has no more than a connection a service"
    fault = "an uncommitted ALTER TABLE holds its lock: all other checks"
    play(SECTION, fault, "database", "healthy", locked(surroundings.cluster), also=("rows",))


def test_turned_read_only(play, surroundings) -> None:
    played = altered(
        surroundings.cluster,
        "ALTER SYSTEM SET default_transaction_read_only = on",
        "ALTER SYSTEM RESET default_transaction_read_only",
    )
    play(SECTION, "the server turns read-only", "database", "degraded database_read_only", played, also=("pooled",))


def test_password_changed(play, surroundings) -> None:
    played = altered(
        surroundings.cluster, f"ALTER ROLE {USER} PASSWORD 'rotated'", f"ALTER ROLE {USER} PASSWORD '{PASSWORD}'"
    )
    told = "unhealthy database_credentials"
    play(SECTION, "the password is changed", "database", told, played, also=ALL)


def test_restarted_between_two_probes(well, surroundings) -> None:
    """Whoever keeps a connection meets a stale one now; nobody does."""
    surroundings.cluster.stop()
    surroundings.cluster.start()
    for pod in well:
        answers = [pod.ask() for _ in range(10)]
        assert {answer.reply.status for answer in answers} == {200}, (pod.name, answers[-1].reply.json)


def test_the_applications_own_pool_is_exhausted(play, well) -> None:
    @contextlib.contextmanager
    def hogged() -> Iterator[None]:
        for pod in well:
            assert pod.server.get("/hog", host="example.com").body == b"exhausted", pod.server.log
        try:
            yield
        finally:
            for pod in well:
                assert pod.server.get("/release", host="example.com").status == 200

    fault = "the application has used up its own connection pool"
    # psycopg_pool has a scheduler and three workers.
    play(SECTION, fault, "pooled", "healthy", hogged(), threads_of_its_own=4)


def test_no_connection_is_left_behind(well, surroundings) -> None:
    for pod in well:
        pod.watch(2)
    left = f"SELECT * FROM pg_stat_activity WHERE datname = '{DATABASE}' AND state_change < now() - interval '3 s'"
    wait_until(lambda: not surroundings.cluster.execute(left), lambda: surroundings.cluster.execute(left))
