"""healthguard answers with a read-only root, a full pipe as its log, and an invalid declaration."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.amounts import pairs
from tests.support.sites import ADAPTORS, SERVERS, URLS, Server, Site, wait_until

TOKEN = "survival-token-0123456789"
DETAILS = {"Authorization": f"Bearer {TOKEN}"}
SWITCHED = f"""
HEALTHGUARD = {{
    "SERVICES": {{"one": Service("switched.Switched", ttl=0)}},
    "DETAILS_TOKENS": [{TOKEN!r}],
    "DEADLINE": 30,
}}
"""
SWITCH = """
import os, pathlib
from health_check.base import HealthCheck
from health_check.exceptions import ServiceUnavailable
class Switched(HealthCheck):
    def run(self):
        if pathlib.Path(__file__).with_name("off").exists():
            raise ServiceUnavailable("switched off")
"""
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="only root can remount, with unshare"
)


@pytest.fixture
def outside() -> Iterator[Site]:
    """A project in /var/tmp, because these tests mount another file system over /tmp."""
    folder = Path(tempfile.mkdtemp(prefix="healthguard-", dir="/var/tmp"))
    site = Site(folder)
    yield site.write(SWITCHED, adaptor="middleware", switched=SWITCH)
    site.stop()
    shutil.rmtree(folder)


FULL = "mount -t tmpfs -o size=4k,nr_inodes=1 none"
DISKS = {
    "read-only": "mount -o remount,bind,ro /; mount -t tmpfs -o ro none /dev/shm",
    "full": f"{FULL} /tmp; {FULL} /var/lib; {FULL} /dev/shm",
}


@needs_root
@pytest.mark.parametrize("disk", DISKS)
def test_pod_without_a_writable_folder_becomes_ready(outside: Site, disk: str) -> None:
    """With a read-only root, or with a disk that is full at the start, each process becomes ready by itself."""
    outside.launcher = ["unshare", "--mount", "sh", "-ec", f'{DISKS[disk]}; exec "$0" "$@"']
    server = outside.serve("uvicorn")
    assert server.until("/api/health/ready", 200, seconds=60).status == 200
    assert server.get("/api/health/startup").status == server.get().status == 200
    (outside.folder / "off").touch()
    assert server.until("/api/health", 503, seconds=60).status == 503
    assert server.get("/api/health/ready").status == 200, "it has been ready"
    wait_until(lambda: "cannot share the information that the pod is ready" in server.log)


def serve_with_silent_log(site: Site, kind: str) -> tuple[Server, int]:
    """Serve a project that logs to a full pipe, and return the server and the reading end of the pipe."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 65536)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x")
    os.set_blocking(writer, True)
    os.set_inheritable(writer, True)
    # Only healthguard logs to the pipe, because a server may wait for its own log.
    site.environment["LOG_TO"] = str(writer)
    site.pass_fds = (writer,)
    server = site.serve(kind)
    os.close(writer)
    return server, reader


TO_PIPE = """
LOGGING["handlers"]["pipe"] = {"class": "logging.StreamHandler", "formatter": "line",
                               "stream": os.fdopen(int(os.environ["LOG_TO"]), "w")}
LOGGING["loggers"] = {"healthguard": {"handlers": ["pipe"], "level": "INFO", "propagate": False}}
"""
RAISING = """
LOGGING["handlers"]["raising"] = {"class": "raising.Raising"}
LOGGING["loggers"] = {"healthguard": {"handlers": ["raising"], "level": "INFO", "propagate": False}}
"""
RAISING_HANDLER = """
import logging
class Raising(logging.Handler):
    def emit(self, record):
        raise SystemExit("the handler raised")
"""


CHANGES = 30


def change_often(site: Site, server: Server) -> None:
    """Make the check fail and recover CHANGES times, and wait until each change is in a response."""
    off = site.folder / "off"
    for _ in range(CHANGES):
        off.touch()
        assert server.until("/api/health", 503, seconds=60).status == 503
        assert server.get("/api/health/ready").status == 200
        off.unlink()
        assert server.until("/api/health", 200, seconds=60).status == 200


@pytest.mark.parametrize("kind", SERVERS)
def test_blocked_log_does_not_block_answers(site: Site, kind: str) -> None:
    """If the log is a full pipe, every request is answered, and at most one thread waits for the pipe."""
    site.write(SWITCHED + TO_PIPE, adaptor="middleware", switched=SWITCH)
    server, reader = serve_with_silent_log(site, kind)
    try:
        assert server.until("/api/health/ready", 200).status == 200
        before = server.threads()
        change_often(site, server)
        # The server's pool and asyncio's executor may have grown. One thread per change would be 60 threads.
        assert server.threads() - before < CHANGES
    finally:
        os.close(reader)


@pytest.mark.parametrize(("kind", "adaptor"), pairs(SERVERS, ADAPTORS))
def test_log_handler_that_raises_does_not_break_answers(site: Site, kind: str, adaptor: str) -> None:
    """healthguard logs on another thread than that of the request, including the line "The pod is ready."."""
    site.write(SWITCHED + RAISING, adaptor=adaptor, switched=SWITCH, raising=RAISING_HANDLER)
    server = site.serve(kind)
    off = site.folder / "off"
    host: dict[str, Any] = {"host": "example.com"}
    for _ in range(3):
        assert server.get("/api/health/ready", **host).json["status"] == "healthy"
        off.touch()
        assert server.until("/api/health", 503, seconds=60, **host).json["status"] == "unhealthy"
        off.unlink()
        assert server.until("/api/health", 200, seconds=60, **host).json["status"] == "healthy"


@pytest.mark.parametrize("adaptor", ADAPTORS)
def test_invalid_declaration_is_logged_once_and_reported(site: Site, adaptor: str) -> None:
    """A typo in the setting makes the pod not ready; the log states the reason, and a section has the details."""
    typo = SWITCHED.replace('"SERVICES"', '"DEADLNE": 1, "SERVICES"')
    server = site.write(typo, adaptor=adaptor, switched=SWITCH).serve()
    for _ in range(5):
        assert server.get("/api/health/ready", host="example.com").status == 503
    wait_until(lambda: "unknown key 'DEADLNE'" in server.log)
    assert server.log.count("unknown key 'DEADLNE'") == 1
    section = server.get("/api/health/healthguard", headers=DETAILS, host="example.com")
    assert section.status == 503
    assert section.json["checks"][0]["code"] == "invalid_declaration"
    assert "DEADLINE" in section.json["checks"][0]["hint"]


def test_broken_urlconf_is_logged_once_and_reported(site: Site) -> None:
    """The wrapper answers although Django cannot, and a section has the details."""
    site.write(SWITCHED, "import no_such_module\n" + URLS, adaptor="wrapper", switched=SWITCH)
    server = site.serve()
    for _ in range(5):
        assert server.get("/api/health/ready").status == 503
        assert server.get().json["services"] == {"one": "healthy", "healthguard": "unhealthy"}
    wait_until(lambda: "The URLconf cannot be imported" in server.log)
    assert server.log.count("The URLconf cannot be imported") == 1
    section = server.get("/api/health/healthguard", headers=DETAILS)
    assert section.json["checks"][0]["code"] == "urlconf_broken"


def test_section_of_healthguard_is_404_without_a_problem(site: Site) -> None:
    """The service ``healthguard`` exists only while it has a problem."""
    server = site.write(SWITCHED, adaptor="middleware", switched=SWITCH).serve()
    assert server.get("/api/health/healthguard").status == 404


SLOW = f"""
HEALTHGUARD = {{
    "SERVICES": {{"one": Service("slow.Slow", ttl=600, stale_for=600, timeout=120)}},
    "DETAILS_TOKENS": [{TOKEN!r}],
    "DEADLINE": 0.3,
}}
"""
SLOW_CHECK = """
import pathlib, time
from health_check.base import HealthCheck
from health_check.exceptions import ServiceUnavailable
class Slow(HealthCheck):
    def run(self):
        hold = pathlib.Path(__file__).with_name("hold")
        while hold.exists():
            time.sleep(0.01)
        if pathlib.Path(__file__).with_name("off").exists():
            raise ServiceUnavailable("switched off")
"""


@pytest.mark.parametrize("kind", ["gunicorn-gthread", "uvicorn"])
def test_fresh_answer_is_never_an_old_result(site: Site, kind: str) -> None:
    """A fresh answer is unknown while its run is in flight, and the result of this run afterwards."""
    server = site.write(SLOW, adaptor="middleware", slow=SLOW_CHECK).serve(kind)
    assert server.until("/api/health", 200, headers=DETAILS).json["one"]["status"] == "healthy"
    (site.folder / "hold").touch()
    (site.folder / "off").touch()
    fresh = server.get("/api/health?fresh=1", headers=DETAILS, timeout=120)
    assert (fresh.status, fresh.json["one"]["status"]) == (503, "unknown")
    assert fresh.json["one"]["age_seconds"] is None
    assert fresh.json["one"]["checks"][0]["code"] == "pending"
    assert server.get(headers=DETAILS).json["one"]["status"] == "healthy", "others still get the last result"
    (site.folder / "hold").unlink()
    found = server.until("/api/health", 503, headers=DETAILS)
    assert found.json["one"]["checks"][0]["code"] == "unavailable"


def test_fresh_answer_of_a_quick_check_is_new(site: Site) -> None:
    """The answer is the result of a run that started after the request."""
    server = site.write(SLOW, adaptor="middleware", slow=SLOW_CHECK).serve()
    assert server.until("/api/health", 200, headers=DETAILS).status == 200
    (site.folder / "off").touch()
    assert server.until("/api/health?fresh=1", 503, headers=DETAILS).json["one"]["status"] == "unhealthy"
