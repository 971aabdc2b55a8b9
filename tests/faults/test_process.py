"""What happens to a process: a fork, an end, a clock that is set back, a full disk, and hurried changes."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.pods import FAULTY
from tests.links import Link
from tests.sites import Site, wait_until

WELL_BEFORE_KILLED = 15
"""Within how many seconds a worker must end: before ``Server.stop`` kills it, and gunicorn after 30 s."""
FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)

HANGING = """
import dj_database_url
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
HEALTHGUARD = {"SERVICES": {
    "sync": "faulty.Faulty",
    "async": "faulty.FaultyAsync",
    "database": Service(RequiredTables(["pg_class"]), ttl=0.2),
    "fine": Service("tests.strange_checks.Fine", ttl=0.2),
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
    """The file that tells the faulty checks how to go wrong."""
    path = site.folder / "fault"
    path.write_text("")
    site.environment["FAULT"] = str(path)
    return path


@pytest.fixture
def silent(postgres) -> Iterator[Link]:
    """A database that lets in and then says nothing."""
    link = Link(postgres.url)
    link.silence_after_login()
    yield link
    link.down()


@pytest.mark.parametrize("kind", ["gunicorn-sync", "gunicorn-gthread", "uvicorn"])
@pytest.mark.parametrize("name", ["sleep", "spin", "block_loop", "ignore_cancel", "sync_to_async", "executor"])
def test_a_worker_ends_in_time_whatever_hangs(site, fault, silent, kind, name) -> None:
    """Kubernetes kills it otherwise, with whatever it was doing; no thread is joined."""
    site.environment["DATABASE_URL"] = silent.url
    server = site.write(HANGING, adaptor="middleware", faulty=FAULTY).serve(kind)
    fault.write_text(name)
    services = server.get().json["services"]
    hangs = "sync" if name in ("sleep", "spin") else "async"
    assert (services[hangs], services["database"]) == ("unknown", "unknown"), "they really hang"
    assert server.get("/api/health/live").status == 200
    assert server.stop() < WELL_BEFORE_KILLED
    assert server.process.returncode in (0, -15), server.log


def test_a_fork_while_checks_hang(site, fault, silent) -> None:
    """What is asked before gunicorn --preload forks leaves threads and locks behind that the workers do not have."""
    site.environment["DATABASE_URL"] = silent.url
    fault.write_text("sleep")
    site.write(HANGING, adaptor="wrapper", faulty=FAULTY)
    with (site.folder / "site_wsgi.py").open("a") as gateway:
        gateway.write(
            "from healthguard.respond import Request, respond\n"
            "first = respond(Request('GET', ''))\n"
            "assert first.status == 503, first\n"
        )
    server = site.serve("gunicorn-gthread", "--preload", workers=2)
    assert {server.get("/api/health/live").status for _ in range(10)} == {200}
    fault.write_text("")
    for _ in range(10):
        services = server.until("/api/health/fine", 200).json
        assert services["status"] == "healthy"
    assert server.get("/api/health/sync").status == 200
    assert server.get("/api/health/database").status == 503


@pytest.mark.skipif(FAKETIME is None, reason="no libfaketime here: apt-get install libfaketime")
def test_a_clock_that_is_set_back_an_hour(site, fault) -> None:
    """What is fresh, due, late and too old goes by a clock that nobody sets.

    On uvicorn alone: under libfaketime, time.sleep() fails, and gunicorn's master sleeps.
    """
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
        assert server.get("/api/health/ready").status == status, "as soon as it is due"
    fault.write_text("spin")
    told = server.until("/api/health", 503, headers=DETAILS).json["one"]["checks"][0]
    assert told["code"] == "timeout", "that still ends it"


@pytest.mark.parametrize("kind", ["gunicorn-gthread", "uvicorn"])
def test_psycopg2_and_a_database_that_falls_silent(site, postgres, kind) -> None:
    """It holds the GIL while it asks a server to cancel: nobody may ask it to, or all would wait for that server."""
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
    # Cuts come after half a second, and then ever more rarely: several of them.
    while time.monotonic() - began < 4 or server.get().json["services"] != BOTH:
        # The silence lasts until the test ends it: who waits for it fails here.
        assert server.get("/api/health/live", timeout=30).status == 200
        server.get(timeout=30)
        time.sleep(0.02)
    link.up()
    assert server.until("/api/health", 200).json["status"] == "healthy"
    link.down()


def test_a_hundred_changes_in_a_hurry(site, fault) -> None:
    """Each is told by the next answer, and each has its line in the log."""
    settings = SWITCHED.replace("TTL", "0") + 'HEALTHGUARD["DEADLINE"] = 30\n'
    server = site.write(settings, adaptor="middleware", faulty=FAULTY).serve()
    assert server.until("/api/health/ready", 200).status == 200
    for _ in range(100):
        fault.write_text("Exception")
        assert (server.get("/api/health/ready").status, server.get().status) == (503, 503)
        fault.write_text("")
        assert (server.get("/api/health/ready").status, server.get().status) == (200, 200)
    for change in ("one: healthy -> unhealthy", "one: unhealthy -> healthy"):
        wait_until(lambda change=change: server.log.count(change) >= 100, lambda: server.log)
        assert server.log.count(change) == 100


@pytest.mark.parametrize("adaptor", ["middleware", "wrapper"])
def test_a_drain_file_that_comes_and_goes(site, fault, adaptor) -> None:
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


@contextlib.contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """A file system on which there is no place for one more file."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=1", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("a file system can be mounted by root alone")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_under_the_drain_file(site, fault) -> None:
    """The hook cannot leave its word, and says so; the pod goes on, and its latch too."""
    full = site.folder / "full"
    with full_disk(full):
        site.environment["DRAIN_FILE"] = str(full / "drain")
        server = site.write(SWITCHED.replace("TTL", "3600"), adaptor="middleware", faulty=FAULTY).serve()
        assert server.until("/api/health/ready", 200).status == 200
        with pytest.raises(OSError, match="No space left"):
            (full / "drain").touch()
        assert server.get("/api/health/ready").status == 200
        assert server.get("/api/health/startup").status == 200


def test_a_thousand_services_of_which_one_hangs(site, fault) -> None:
    site.write(
        """
        HEALTHGUARD = {"SERVICES": {
            **{f"s{number}": Service("tests.strange_checks.Fine", ttl=3600) for number in range(1000)},
            "hangs": Service("faulty.Faulty", ttl=3600, timeout=1),
        }}
        """,
        adaptor="middleware",
        faulty=FAULTY,
    )
    server = site.serve()
    fault.write_text("sleep")
    # What hangs does so until the test ends it: who waits for it fails here.
    server.get(timeout=60)
    assert server.get("/api/health/live", timeout=60).status == 200
    healthy = {f"s{number}": "healthy" for number in range(1000)}
    wait_until(lambda: server.get().json["services"] == {**healthy, "hangs": "unhealthy"})
    wait_until(lambda: server.threads() < 20, lambda: "none is left of those that have ended")


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="names can be faked by root alone, with unshare"
)
@pytest.mark.parametrize("kind", ["gunicorn-gthread", "uvicorn"])
def test_names_that_cannot_be_looked_up(site, simulator, postgres, kind) -> None:
    """The name server is silent: the slowest of all faults, for nothing can interrupt a look-up."""
    import socket

    from example_project.deployment import anthropic_key

    hosts, resolver = site.folder / "hosts", site.folder / "resolv.conf"
    known = "127.0.0.1 localhost\n"
    hosts.write_text(known)
    link = Link(postgres.url)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as name_server:
        # Any of many, for somebody else's run on this machine needs port 53 too.
        address = f"127.53.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"
        name_server.bind((address, 53))
        resolver.write_text(f"nameserver {address}\noptions timeout:4 attempts:2\n")
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
                "fine": Service("tests.strange_checks.Fine", ttl=0.5),
            }}
            """,
            adaptor="middleware",
        )
        server = site.serve(kind)
        began = time.monotonic()
        told = {"database": "unhealthy", "anthropic": "degraded", "fine": "healthy"}
        # One look-up takes 8 s.
        while time.monotonic() - began < 6 or server.get().json["services"] != told:
            before = time.monotonic()
            assert server.get("/api/health/live").status == 200
            slowest = max(server.get().seconds, time.monotonic() - before)
            assert slowest < 5, "of 8 s"
            time.sleep(0.05)
        hosts.write_text(known + "127.0.0.1 db.shop.example ai.shop.example\n")
        wait_until(lambda: server.get().json["status"] == "healthy", lambda: server.log)
    link.down()
