"""Faults of a process: a fork, a shutdown, a clock that is set back, a full disk, and quick changes."""

from __future__ import annotations

import functools
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from example_project.postgres import Postgres
from example_project.provider_simulator import Simulator
from tests.faults.pods import FAULTY
from tests.support.amounts import pairs
from tests.support.links import Link
from tests.support.sites import SERVERS, Server, Site, wait_until
from tests.support.small_disks import mounted

SHUTDOWN_LIMIT = 15
"""The longest duration of a shutdown (seconds). ``Server.stop`` kills a worker after 20 s, and gunicorn after 30 s."""
FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)

HANGING = """
import dj_database_url
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
HEALTHGUARD = {"SERVICES": {
    "sync": "faulty.Faulty",
    "async": "faulty.FaultyAsync",
    "database": Service(RequiredTables(["pg_class"]), ttl=0.2),
    "fine": Service("tests.support.strange_checks.Fine", ttl=0.2),
}, "DEADLINE": 0.3}
"""
SWITCHED = """
HEALTHGUARD = {
    "SERVICES": {"one": Service("faulty.Faulty", ttl=TTL, timeout=2, ready="always")},
    "DETAILS_TOKENS": ["process-token-0123456789"],
    "DRAIN_FILE": os.environ.get("DRAIN_FILE"),
}
"""
BOTH = {"theirs": "unhealthy", "ours": "unhealthy"}
DETAILS = {"Authorization": "Bearer process-token-0123456789"}


@pytest.fixture
def fault(site: Site) -> Path:
    """The file that contains the fault of the faulty checks."""
    path = site.folder / "fault"
    path.write_text("")
    site.environment["FAULT"] = str(path)
    return path


@pytest.fixture
def silent_link(postgres: Postgres) -> Iterator[Link]:
    """A link to a database that falls silent after the login."""
    link = Link(postgres.url)
    link.silence_after_login()
    yield link
    link.down()


@pytest.mark.parametrize(
    ("kind", "name"),
    pairs(SERVERS, ["sleep", "spin", "block_loop", "ignore_cancel", "sync_to_async", "executor"]),
)
def test_worker_ends_in_time_while_checks_hang(
    site: Site, fault: Path, silent_link: Link, kind: str, name: str
) -> None:
    """A worker does not wait for hanging checks when it stops. Otherwise Kubernetes would kill it."""
    site.environment["DATABASE_URL"] = silent_link.url
    server = site.write(HANGING, adaptor="middleware", faulty=FAULTY).serve(kind)
    fault.write_text(name)
    services = server.get().json["services"]
    hangs = "sync" if name in ("sleep", "spin") else "async"
    assert (services[hangs], services["database"]) == ("unknown", "unknown"), "the checks hang"
    assert server.get("/api/health/live").status == 200
    assert server.stop() < SHUTDOWN_LIMIT
    assert server.process.returncode in (0, -15), server.log


def test_fork_while_checks_hang_affects_no_worker(site: Site, fault: Path, silent_link: Link) -> None:
    """A report before gunicorn --preload forks starts threads and takes locks that the workers do not have."""
    site.environment["DATABASE_URL"] = silent_link.url
    fault.write_text("sleep")
    site.write(HANGING, adaptor="wrapper", faulty=FAULTY)
    with (site.folder / "site_wsgi.py").open("a") as gateway:
        gateway.write(
            "from healthguard.http.handler import Request, respond\n"
            "first = respond(Request('GET', ''))\n"
            "assert first.status == 503, first\n"
        )
    server = site.serve("gunicorn-gthread", "--preload", workers=2)
    assert {server.get("/api/health/live").status for _ in range(10)} == {200}
    fault.write_text("")
    for _ in range(10):
        services = server.until("/api/health/fine", 200).json
        assert services["status"] == "healthy"
    assert server.until("/api/health/sync", 200).status == 200
    assert server.get("/api/health/database").status == 503


@pytest.mark.skipif(FAKETIME is None, reason="no libfaketime here: apt-get install libfaketime")
def test_clock_set_back_by_an_hour_delays_nothing(site: Site, fault: Path) -> None:
    """Freshness, due times and timeouts use a monotonic clock, which is never set."""
    # Only on uvicorn: under libfaketime, time.sleep() fails, and the master of gunicorn sleeps.
    shift = site.folder / "shift"
    shift.write_text("+0")
    site.environment |= {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(shift),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    server = site.write(SWITCHED.replace("TTL", "0.5"), adaptor="middleware", faulty=FAULTY).serve("uvicorn")
    before = server.until("/api/health", 200, headers=DETAILS).json["one"]
    shift.write_text("-1h")
    wait_until(lambda: server.get(headers=DETAILS).json["one"]["checked_at"] < before["checked_at"])
    after = server.get(headers=DETAILS).json["one"]
    assert 0 <= after["age_seconds"] < 600, "and not an hour"
    assert 0 <= after["duration_ms"] < 600_000
    for name, status in [("Exception", 503), ("", 200)] * 2:
        fault.write_text(name)
        server.until("/api/health", status)
        assert server.get("/api/health/ready").status == status, "the run starts as soon as it is due"
    fault.write_text("spin")
    found = server.until("/api/health", 503, headers=DETAILS).json["one"]["checks"][0]
    assert found["code"] == "timeout", "the timeout still ends the check"


@pytest.mark.parametrize("kind", ["gunicorn-gthread", "uvicorn"])
def test_silent_database_does_not_block_a_process_with_psycopg2(site: Site, postgres: Postgres, kind: str) -> None:
    """psycopg2 holds the GIL while it cancels a query, so healthguard does not cancel queries with it."""
    link = Link(postgres.url)
    site.environment["DATABASE_URL"] = link.url
    site.write(
        """
        import sys
        # Django prefers the newer one.
        sys.modules["psycopg"] = None
        import dj_database_url
        DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
        HEALTHGUARD = {"SERVICES": {
            "theirs": Service("health_check.checks.Database", ttl=0.2, timeout=0.5),
            "ours": Service(RequiredTables(["pg_class"]), ttl=0.2, timeout=2.5),
        }}
        """,
        adaptor="middleware",
    )
    server = site.serve(kind)
    assert server.until("/api/health", 200).json["status"] == "healthy", server.log
    link.silence_after_login()
    began = time.monotonic()
    # Connections are aborted after half a second, and then ever more rarely. This lasts for several of them.
    while time.monotonic() - began < 4 or server.get().json["services"] != BOTH:
        # The silence lasts until the test ends it. No response may wait for that.
        assert server.get("/api/health/live", timeout=30).status == 200
        server.get(timeout=30)
        time.sleep(0.02)
    link.up()
    assert server.until("/api/health", 200).json["status"] == "healthy"
    link.down()


def test_each_of_many_quick_changes_is_reported_and_logged(site: Site, fault: Path) -> None:
    settings = SWITCHED.replace("TTL", "0").replace("timeout=2", "timeout=60") + 'HEALTHGUARD["DEADLINE"] = 30\n'
    server = site.write(settings, adaptor="middleware", faulty=FAULTY).serve()
    assert server.until("/api/health/ready", 200).status == 200
    for _ in range(100):
        fault.write_text("Exception")
        assert (server.get("/api/health/ready").status, server.get().status) == (503, 503)
        fault.write_text("")
        assert (server.get("/api/health/ready").status, server.get().status) == (200, 200)
    for change in ("one: healthy -> unhealthy", "one: unhealthy -> healthy"):
        wait_until(functools.partial(is_logged, server, change), lambda: server.log)
        assert server.log.count(change) == 100


def is_logged(server: Server, change: str) -> bool:
    """Return True if the log contains the change a hundred times."""
    return server.log.count(change) >= 100


@pytest.mark.parametrize("adaptor", ["middleware", "wrapper"])
def test_drain_file_takes_effect_at_once(site: Site, fault: Path, adaptor: str) -> None:
    drain = site.folder / "drain"
    site.environment["DRAIN_FILE"] = str(drain)
    server = site.write(SWITCHED.replace("TTL", "3600"), adaptor=adaptor, faulty=FAULTY).serve("uvicorn")
    assert server.until("/api/health/ready", 200).status == 200
    for _ in range(100):
        assert server.get("/api/health/ready").status == 200
        drain.touch()
        assert server.get("/api/health/ready").status == 503
        assert server.get("/api/health").status == 200
        drain.unlink()


def test_full_disk_under_the_drain_file_keeps_the_pod_ready(site: Site, fault: Path) -> None:
    """The preStop hook fails to create the file, and the pod is not draining."""
    full = site.folder / "full"
    with mounted(full):
        site.environment["DRAIN_FILE"] = str(full / "drain")
        server = site.write(SWITCHED.replace("TTL", "3600"), adaptor="middleware", faulty=FAULTY).serve()
        assert server.until("/api/health/ready", 200).status == 200
        with pytest.raises(OSError, match="No space left"):
            (full / "drain").touch()
        assert server.get("/api/health/ready").status == 200
        assert server.get("/api/health/startup").status == 200


def test_hung_check_affects_none_of_a_thousand_services(site: Site, fault: Path) -> None:
    site.write(
        """
        HEALTHGUARD = {"SERVICES": {
            **{
                f"s{number}": Service("tests.support.strange_checks.Fine", ttl=3600, timeout=60)
                for number in range(1000)
            },
            "hangs": Service("faulty.Faulty", ttl=3600, timeout=1),
        }}
        """,
        adaptor="middleware",
        faulty=FAULTY,
    )
    server = site.serve()
    fault.write_text("sleep")
    # The check hangs until the test ends it. No response may wait for that.
    server.get(timeout=240)
    assert server.get("/api/health/live", timeout=240).status == 200
    healthy = {f"s{number}": "healthy" for number in range(1000)}
    wait_until(lambda: server.get().json["services"] == {**healthy, "hangs": "unhealthy"})
    wait_until(lambda: server.threads() < 20, lambda: "threads of runs that have ended are left")


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="only root can fake names, with unshare"
)
@pytest.mark.parametrize("kind", ["gunicorn-gthread", "uvicorn"])
def test_silent_name_server_delays_no_response(site: Site, simulator: Simulator, postgres: Postgres, kind: str) -> None:
    """A lookup of a name takes 8 s then, and cannot be interrupted."""
    import socket

    from example_project.deployment import anthropic_key

    hosts, resolver = site.folder / "hosts", site.folder / "resolv.conf"
    known = "127.0.0.1 localhost\n"
    hosts.write_text(known)
    link = Link(postgres.url)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as name_server:
        # A random address, because another run on this machine may use port 53 too.
        address = f"127.53.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"
        name_server.bind((address, 53))
        resolver.write_text(f"nameserver {address}\noptions timeout:8 attempts:2\n")
        key = anthropic_key()
        simulator.keys = {key}
        site.environment |= {
            "DATABASE_URL": link.url.replace("127.0.0.1", "db.shop.example"),
            "ANTHROPIC_BASE_URL": f"http://ai.shop.example:{simulator.server_port}/anthropic",
            "ANTHROPIC_API_KEY": key,
        }
        site.launcher = [
            *("unshare", "--mount", "sh", "-ec"),
            f'mount --bind {hosts} /etc/hosts; mount --bind {resolver} /etc/resolv.conf; exec "$0" "$@"',
        ]
        site.write(
            """
            import dj_database_url
            DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
            HEALTHGUARD = {"SERVICES": {
                "database": Service(RequiredTables(["pg_class"]), ttl=0.5, timeout=2.5),
                "anthropic": Service(AIProviderKey("anthropic"), ttl=0.5, timeout=2.5),
                "fine": Service("tests.support.strange_checks.Fine", ttl=0.5),
            }}
            """,
            adaptor="middleware",
        )
        server = site.serve(kind)
        began = time.monotonic()
        expected = {"database": "unhealthy", "anthropic": "degraded", "fine": "healthy"}
        # A lookup takes 16 s.
        while time.monotonic() - began < 6 or server.get().json["services"] != expected:
            before = time.monotonic()
            assert server.get("/api/health/live").status == 200
            slowest = max(server.get().seconds, time.monotonic() - before)
            assert slowest < 15, "no response waits for a lookup"
            time.sleep(0.05)
        hosts.write_text(known + "127.0.0.1 db.shop.example ai.shop.example\n")
        wait_until(lambda: server.get().json["status"] == "healthy", lambda: server.log)
    link.down()
