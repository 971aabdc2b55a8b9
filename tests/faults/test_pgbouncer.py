"""Behind PgBouncer in transaction mode a server's connection passes from client to client: nothing may stay on it."""

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

from example_project.deployment import free_port
from tests.faults.cluster import DATABASE, PASSWORD, USER, Cluster
from tests.sites import PATIENCE

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


@pytest.fixture(scope="module")
def bouncer(public_folder: Path) -> Iterator[str]:
    """The URL of the database behind it, with one connection to the server for all clients."""
    cluster = Cluster()
    port = free_port()
    configuration = public_folder / "pgbouncer.ini"
    configuration.write_text(
        CONFIGURATION.format(database=DATABASE, server=cluster.port, user=USER, password=PASSWORD, port=port)
    )
    # It does not run as root.
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
    cluster.remove()


@pytest.fixture
def server(site, bouncer):
    site.environment["DATABASE_URL"] = bouncer
    site.write(SETTINGS, adaptor="middleware").migrate()
    return site.serve()


def client(url: str) -> psycopg.Connection:
    """Somebody else's connection through the same PgBouncer."""
    return psycopg.connect(url, autocommit=True, prepare_threshold=None)


def test_no_setting_reaches_another_client(server, bouncer) -> None:
    # PgBouncer itself hands each client the values of these; see its track_extra_parameters.
    tracked = {"client_encoding", "DateStyle", "TimeZone", "standard_conforming_strings", "application_name"}
    with client(bouncer) as other:
        settings = "SELECT name, setting FROM pg_settings WHERE source = 'session'"
        before = other.execute(settings).fetchall()
        for _ in range(20):
            reply = server.until("/api/health", 200)
            assert (reply.status, set(reply.json["services"].values())) == (200, {"healthy"}), server.log
            (limit,) = other.execute("SHOW statement_timeout").fetchone()
            assert limit == "0"
            left = {name: value for name, value in other.execute(settings).fetchall() if name not in tracked}
            assert left == {name: value for name, value in before if name not in tracked}
            time.sleep(0.1)


def test_the_limit_holds_for_the_query_it_is_sent_with(server, bouncer) -> None:
    """Of one message of two statements the first must bind the second, also here."""
    with client(bouncer) as other, pytest.raises(psycopg.errors.QueryCanceled):
        other.execute("SET LOCAL statement_timeout = 50; SELECT pg_sleep(5)")


def test_all_connections_to_the_server_are_taken(server, bouncer) -> None:
    """Nobody is served, and the queue stays short."""
    assert server.until("/api/health", 200).status == 200
    admin = urlsplit(bouncer)
    with client(bouncer) as other:
        with other.transaction():
            other.execute("SELECT 1")
            replies = []
            began = time.monotonic()
            taken = {"database": "unhealthy", "theirs": "unhealthy"}
            while time.monotonic() - began < 8 or replies[-1].json["services"] != taken:
                replies.append(server.get(timeout=30))
                assert server.get("/api/health/live").status == 200
                time.sleep(0.05)
            # They wait in its queue for as long as the transaction lasts: who waits for it fails here.
            assert max(reply.seconds for reply in replies) < 6
            console = f"host=127.0.0.1 port={admin.port} dbname=pgbouncer user=admin"
            with psycopg.connect(console, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
                cursor = connection.execute("SHOW POOLS")
                names = [column.name for column in cursor.description]
                pools = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            (waiting,) = [pool["cl_waiting"] for pool in pools if pool["database"] == DATABASE]
            # PgBouncer does not see that somebody in its queue has hung up, so who has given up still counts.
            assert waiting <= 2 * 4, "at most a few for each of the two services, for they give up ever more rarely"
        assert server.until("/api/health", 200).status == 200
