"""PgBouncer in transaction mode gives a connection of the server to one client after another.

Therefore the checks must not leave a setting on it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from example_project.ports import free_port
from tests.faults.cluster import DATABASE, PASSWORD, USER, Cluster
from tests.support.sites import PATIENCE, Reply, Server, Site
from tests.support.slow_statements import RUNNING, most_at_once

PGBOUNCER = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="no pgbouncer here: apt-get install pgbouncer")

CONFIGURATION = """
[databases]
{database} = host=127.0.0.1 port={server} dbname={database} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 1
max_client_conn = 100
admin_users = admin
ignore_startup_parameters = extra_float_digits
"""
SETTINGS = """
import dj_database_url
DATABASES = {"default": {**dj_database_url.parse(os.environ["DATABASE_URL"]), "DISABLE_SERVER_SIDE_CURSORS": True}}
INSTALLED_APPS += ["example_project.vending"]
TIME_ZONE = "Asia/Tokyo"
POLICY = {"ttl": 0.1, "timeout": 2.5}
HEALTHGUARD = {
    "SERVICES": {
        "database": Service(
            DatabaseName("shop"),
            RequiredTables(["customers"]),
            RequiredColumns("customers", {"metadata": "jsonb"}),
            AppliedMigrations(),
            ModelSchema(),
            **POLICY,
        ),
        "theirs": Service("health_check.checks.Database", **POLICY),
    },
    "DETAILS_TOKENS": ["pgbouncer-token-0123456789"],
}
"""

WITHOUT_CANCEL = {
    "psycopg2": 'import sys; sys.modules["psycopg"] = None',
    "psycopg with libpq 16": "import psycopg; psycopg.capabilities.has_cancel_safe = lambda: False",
}
"""The code that makes Django use a driver that cannot cancel statements without blocking the process."""
SLEEPING = """
import dj_database_url
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
HEALTHGUARD = {
    "SERVICES": {"sleeps": Service("tests.support.slow_statements.Sleeps", ttl=0.3, timeout=1)}, "DEADLINE": 0.1
}
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """The PostgreSQL behind PgBouncer."""
    cluster = Cluster()
    yield cluster
    cluster.remove()


@pytest.fixture(scope="module")
def bouncer(public_folder: Path, cluster: Cluster) -> Iterator[str]:
    """The URL of the database behind PgBouncer, which has one connection to the server for all clients."""
    port = free_port()
    configuration = public_folder / "pgbouncer.ini"
    configuration.write_text(
        CONFIGURATION.format(database=DATABASE, server=cluster.port, user=USER, password=PASSWORD, port=port)
    )
    # PgBouncer refuses to run as root.
    rights = ["--user", "nobody"] if os.geteuid() == 0 else []
    with (public_folder / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen([str(PGBOUNCER), *rights, str(configuration)], stdout=log, stderr=log)
    url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/{DATABASE}"
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            psycopg.connect(url).close()
            break
        except psycopg.OperationalError:
            assert process.poll() is None, (public_folder / "pgbouncer.log").read_text()
            assert time.monotonic() < ends, (public_folder / "pgbouncer.log").read_text()
            time.sleep(0.1)
    yield url
    process.terminate()
    process.wait(60)


@pytest.fixture
def server(site: Site, bouncer: str) -> Server:
    """The server of a site whose database is behind PgBouncer."""
    site.environment["DATABASE_URL"] = bouncer
    site.write(SETTINGS, adaptor="middleware").migrate()
    return site.serve()


def client(url: str) -> psycopg.Connection:
    """Open the connection of another client through the same PgBouncer."""
    return psycopg.connect(url, autocommit=True, prepare_threshold=None)


def test_no_setting_reaches_another_client(server: Server, bouncer: str) -> None:
    # PgBouncer itself sets these to the values of each client; see its option track_extra_parameters.
    tracked = {"client_encoding", "DateStyle", "TimeZone", "standard_conforming_strings", "application_name"}
    with client(bouncer) as other:
        settings = "SELECT name, setting FROM pg_settings WHERE source = 'session'"
        before = other.execute(settings).fetchall()
        for _ in range(20):
            reply = server.until("/api/health", 200)
            assert (reply.status, set(reply.json["services"].values())) == (200, {"healthy"}), server.log
            ((limit,),) = other.execute("SHOW statement_timeout").fetchall()
            assert limit == "0"
            left = {name: value for name, value in other.execute(settings).fetchall() if name not in tracked}
            assert left == {name: value for name, value in before if name not in tracked}
            time.sleep(0.1)


def test_time_limit_applies_to_the_query_in_the_same_message(server: Server, bouncer: str) -> None:
    """The first statement of a message sets the limit of the second, also through PgBouncer."""
    with client(bouncer) as other, pytest.raises(psycopg.errors.QueryCanceled):
        other.execute("SET LOCAL statement_timeout = 50; SELECT pg_sleep(5)")


@pytest.mark.parametrize("driver", WITHOUT_CANCEL)
def test_statements_do_not_pile_up_behind_pgbouncer(site: Site, cluster: Cluster, bouncer: str, driver: str) -> None:
    """The server ends each statement of a run, although no setting may stay on its connection."""
    site.environment["DATABASE_URL"] = bouncer
    server = site.write(f"{WITHOUT_CANCEL[driver]}\n{SLEEPING}", adaptor="middleware").serve()
    assert most_at_once(lambda: cluster.execute(RUNNING.format(database=DATABASE)), server.get) <= 2
    server.stop()
    with client(bouncer) as other:
        assert other.execute("SHOW statement_timeout").fetchall() == [("0",)]


def test_exhausted_pool_is_reported_and_its_queue_stays_short(server: Server, bouncer: str) -> None:
    assert server.until("/api/health", 200).status == 200
    admin = urlsplit(bouncer)
    with client(bouncer) as other:
        with other.transaction():
            other.execute("SELECT 1")
            replies: list[Reply] = []
            began = time.monotonic()
            taken = {"database": "unhealthy", "theirs": "unhealthy"}
            while time.monotonic() - began < 8 or replies[-1].json["services"] != taken:
                replies.append(server.get(timeout=30))
                assert server.get("/api/health/live").status == 200
                time.sleep(0.05)
            # Queries stay in the queue of PgBouncer while the transaction lasts. No response has waited for them.
            console = f"host=127.0.0.1 port={admin.port} dbname=pgbouncer user=admin"
            with psycopg.connect(console, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
                cursor = connection.execute("SHOW POOLS")
                names = [column.name for column in cursor.description or []]
                pools = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            (waiting,) = [pool["cl_waiting"] for pool in pools if pool["database"] == DATABASE]
            # PgBouncer does not notice that a client in its queue has disconnected, so such clients still count.
            assert waiting <= 2 * 4, "at most a few for each of the two services, which abort ever more rarely"
        assert server.until("/api/health", 200).status == 200
