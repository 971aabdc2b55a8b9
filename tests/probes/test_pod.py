"""The effect of a failure on a pod, on real servers and with a database that stops: it gates the rollout only."""

from __future__ import annotations

import os
import signal
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from healthguard.http.handler import Request, respond
from healthguard.runtime import log
from tests.support.amounts import pairs
from tests.support.fixture_types import Declare
from tests.support.links import Link
from tests.support.sites import ADAPTORS, SERVERS, Site, wait_until

DATABASE = """
import dj_database_url
DATABASES = {{"default": dj_database_url.parse(os.environ["DATABASE_URL"])}}
HEALTHGUARD = {{
    "SERVICES": {{
        "database": Service(RequiredTables(["pg_class"]), ttl=0.2, timeout=5, ready={ready!r}),
        "fine": "tests.support.strange_checks.Fine",
    }},
    "DRAIN_FILE": {drain!r},
}}
"""
"""The settings of a site with a database that a test can stop."""
HANGING_DEADLINE = 5.0
HANGING = f"""
HEALTHGUARD = {{
    "SERVICES": {{
        "hangs": Service(("tests.support.strange_checks.Sleeps", {{"seconds": 3600}}), timeout=TIMEOUT, ready="never"),
        "fine": Service("tests.support.strange_checks.Fine", ttl=0.5),
    }},
    "DEADLINE": {HANGING_DEADLINE},
}}
"""
"""The settings of a site with a check that hangs."""


def write_site(site: Site, link: Link, ready: str = "startup", adaptor: str = "middleware") -> Site:
    """Write a site whose database is behind ``link``, and return it."""
    site.environment["DATABASE_URL"] = link.url
    # Only here the processes of a server share a latch, so coverage measures them.
    site.is_measured = True
    return site.write(DATABASE.format(ready=ready, drain=str(site.folder / "drain")), adaptor=adaptor)


@pytest.mark.parametrize(
    ("kind", "workers"), [("gunicorn-sync", 2), ("gunicorn-gthread", 2), ("uvicorn", 1), ("uvicorn", 2)]
)
def test_a_ready_pod_stays_in_when_the_shared_database_is_down(site: Site, link: Link, kind: str, workers: int) -> None:
    server = write_site(site, link).serve(kind, workers=workers)
    assert server.until("/api/health/ready", 200).status == 200
    link.down()
    down = {"database": "unhealthy", "fine": "healthy"}
    wait_until(lambda: server.get().json["services"] == down, lambda: server.log)
    assert [reply.status for reply in server.each_worker("/api/health/ready", workers)] == [200] * workers
    assert {server.get("/api/health/startup").status for _ in range(10)} == {200}
    assert {server.get("/api/health/live").status for _ in range(10)} == {200}
    link.up()
    assert server.until("/api/health", 200).status == 200


@pytest.mark.parametrize("options", [(), ("--preload",)])
def test_a_worker_replaced_while_the_database_is_down_does_not_take_the_pod_out(
    site: Site, link: Link, options: tuple[str, ...]
) -> None:
    server = write_site(site, link).serve("gunicorn-sync", *options, workers=2)
    assert server.until("/api/health/ready", 200).status == 200
    link.down()
    before = {worker.pid for worker in server.workers()}
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len({worker.pid for worker in server.workers()} - before) >= 2)
    assert [reply.status for reply in server.each_worker("/api/health/ready", 2)] == [200, 200]
    assert server.get("/api/health/startup").status == 200
    # The outcome from before the fault is served until a run of a new worker ends.
    assert server.until("/api/health", 503).status == 503


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up its rights on 127.0.0.1: there is nothing to show")
def test_workers_that_have_dropped_roots_rights_share_the_latch(
    public_folder: Path, request: pytest.FixtureRequest
) -> None:
    """Such workers cannot read everything about their master in /proc."""
    site = Site(public_folder)
    request.addfinalizer(site.stop)
    site.write(
        "import switched\nHEALTHGUARD = {'SERVICES': {'one': Service(switched.Switched(), ttl=0)}}",
        adaptor="middleware",
        switched="""
        import os, pathlib
        from health_check.base import HealthCheck
        from health_check.exceptions import ServiceUnavailable
        class Switched(HealthCheck):
            def run(self):
                if pathlib.Path(__file__).with_name("off").exists():
                    raise ServiceUnavailable("off")
        """,
    )
    # Preloaded, because the interpreter's files may be readable only for root.
    server = site.serve("gunicorn-sync", "--preload", "--user", "65534", "--group", "65534", workers=2)
    assert server.until("/api/health/ready", 200).status == 200
    (site.folder / "off").touch()
    assert server.until("/api/health", 503).status == 503
    assert [reply.status for reply in server.each_worker("/api/health/ready", 2)] == [200, 200]


@pytest.mark.parametrize("kind", SERVERS)
def test_a_fresh_server_with_the_database_down_is_not_ready_until_it_is_up(site: Site, link: Link, kind: str) -> None:
    first = write_site(site, link).serve(kind)
    assert first.until("/api/health/ready", 200).status == 200
    first.stop()
    link.down()
    server = site.serve(kind)
    for path in ("ready", "startup"):
        assert {server.get(f"/api/health/{path}").status for _ in range(5)} == {503}
    assert server.get("/api/health/live").status == 200
    link.up()
    assert server.until("/api/health/startup", 200).status == 200, (
        "kubelet sends startup probes first, so startup must not depend on ready probes"
    )
    assert server.get("/api/health/ready").status == 200


def test_failure_of_an_always_service_takes_a_ready_pod_out(site: Site, link: Link) -> None:
    server = write_site(site, link, ready="always").serve()
    assert server.until("/api/health/ready", 200).status == 200
    link.down()
    assert server.until("/api/health/ready", 503).json["services"] == {"database": "unhealthy"}
    assert server.get("/api/health/startup").status == 200
    link.up()
    assert server.until("/api/health/ready", 200).status == 200


def test_failure_of_a_never_service_is_only_reported(site: Site, link: Link) -> None:
    link.down()
    server = write_site(site, link, ready="never").serve()
    assert server.until("/api/health/ready", 200).status == 200
    assert server.until("/api/health", 503).status == 503


@pytest.mark.parametrize("adaptor", ADAPTORS)
def test_a_draining_pod_is_not_ready(site: Site, link: Link, adaptor: str) -> None:
    server = write_site(site, link, adaptor=adaptor).serve()
    options: dict[str, Any] = {"host": "example.com"}
    assert server.until("/api/health/ready", 200, **options).status == 200
    drain = site.folder / "drain"
    for _ in range(5):
        drain.touch()
        reply = server.get("/api/health/ready", **options)
        assert (reply.status, reply.json["draining"]) == (503, True)
        assert server.until("/api/health", 200, **options).status == 200
        assert server.get("/api/health/live", **options).status == 200
        drain.unlink()
        assert server.get("/api/health/ready", **options).status == 200


@pytest.mark.parametrize("name", ["loop/drain", "x" * 300, "file/drain", "null\0"])
def test_a_drain_file_that_cannot_be_checked_takes_no_pod_out(
    healthguard_settings: Declare, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """All pods would have the same problem, so it is only logged, and once."""
    log.forget()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    healthguard_settings({"one": "tests.support.strange_checks.Fine"}, DRAIN_FILE=tmp_path / name, DEADLINE=30)
    with caplog.at_level("WARNING", "healthguard"):
        assert {respond(Request("GET", "ready")).status for _ in range(5)} == {200}
        assert log.flush(60)
    # A path below a file, or with a null character, cannot exist, so checking it does not fail.
    assert caplog.text.count("DRAIN_FILE cannot be checked") == (1 if name.startswith(("loop", "x")) else 0)


def test_a_ready_pod_logs_changes_even_if_only_ready_is_probed(site: Site, link: Link) -> None:
    """kubelet sends only this probe and discards the body, so the log must contain the reason."""
    server = write_site(site, link).serve()
    assert server.until("/api/health/ready", 200).status == 200
    link.down()
    wait_until(lambda: server.get("/api/health/ready").status == 200 and "database: healthy -> unhealthy" in server.log)
    link.up()
    wait_until(lambda: server.get("/api/health/ready").status == 200 and "database: unhealthy -> healthy" in server.log)


@pytest.mark.parametrize(("kind", "adaptor"), pairs(SERVERS, ["middleware", "wrapper"]))
def test_a_hanging_check_blocks_no_other_request(site: Site, kind: str, adaptor: str) -> None:
    """A check that sleeps for an hour costs one thread, and all other services are reported in time."""
    server = site.write(HANGING.replace("TIMEOUT", "1800"), adaptor=adaptor).serve(kind)
    with ThreadPoolExecutor(8) as pool:
        # The server starts its own threads first.
        list(pool.map(lambda _: server.get("/", host="example.com"), range(80)))
    threads = server.threads()
    pairs_of_replies = [(server.get(), server.get("/api/health/live")) for _ in range(50)]
    replies = [reply for reply, _ in pairs_of_replies]
    # Only the first request waits until DEADLINE, and none for the end of the check. The live probe waits for nothing:
    # its time is that of the machine.
    assert statistics.median(reply.seconds - live.seconds for reply, live in pairs_of_replies) < HANGING_DEADLINE / 2
    assert {reply.json["services"]["hangs"] for reply in replies} == {"unknown"}
    assert {reply.json["services"]["fine"] for reply in replies[1:]} == {"healthy"}
    assert {server.get("/api/health/live").status for _ in range(10)} == {200}
    assert server.get("/api/health/ready").status == 200
    # The thread of the run, and those of asyncio's executor, which adds one if none is idle, up to this many.
    assert server.threads() - threads <= 1 + min(32, (os.cpu_count() or 1) + 4), "of 60 requests"
    assert server.stop() < 28, "no thread is joined: gunicorn kills a worker that has not ended after 30 s"


@pytest.mark.parametrize("kind", SERVERS)
def test_a_hanging_check_is_unhealthy_from_its_timeout_on(site: Site, kind: str) -> None:
    server = site.write(HANGING.replace("TIMEOUT", "1"), adaptor="middleware").serve(kind)
    wait_until(lambda: server.get().json["services"] == {"hangs": "unhealthy", "fine": "healthy"})
    assert server.get("/api/health/live").status == 200
    assert server.get("/api/health/ready").status == 200


@pytest.mark.parametrize("kind", ["gunicorn-gthread", "uvicorn"])
def test_two_hundred_probes_at_once_run_each_check_once(site: Site, kind: str) -> None:
    counting = """
    import pathlib
    from health_check.base import HealthCheck
    class Counts(HealthCheck):
        def run(self):
            with open("runs", "a") as runs:
                runs.write("x")
    """
    site.write(
        'HEALTHGUARD = {"SERVICES": {"one": Service("counting.Counts", ttl=300, timeout=60)}, "DEADLINE": 60}',
        adaptor="middleware",
        counting=counting,
    )
    server = site.serve(kind)
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: server.get(), range(200)))
    assert {reply.status for reply in replies} == {200}
    assert (site.folder / "runs").read_text() == "x"


@pytest.mark.parametrize("is_warmed_up", [True, False])
def test_a_worker_that_is_warmed_up_never_answers_unknown(site: Site, is_warmed_up: bool) -> None:
    seconds = 2 if is_warmed_up else 30
    site.write(
        f'SLOW = Service(("tests.support.strange_checks.SleepsAsync", {{"seconds": {seconds}}}), timeout=60)\n'
        'HEALTHGUARD = {"SERVICES": {"slow": SLOW}, "DEADLINE": 0.1}',
        adaptor="middleware",
    )
    options = ["--config", "python:example_project.gunicorn_conf"] if is_warmed_up else []
    server = site.serve("gunicorn-gthread", *options)
    assert server.get().status == (200 if is_warmed_up else 503)
