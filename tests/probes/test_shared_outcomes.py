"""The outcomes that the workers of a server share, on real servers whose workers are killed, stopped and replaced."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.amounts import some_of
from tests.support.recorded_check import RECORDED
from tests.support.sites import Server, Site, wait_until

WORKERS = 4
TOKEN = "Vq3zN8rT5wXb7Yc2KdLm9Pf4"
DETAILS = {"Authorization": f"Bearer {TOKEN}"}
WORKER_KINDS = ["gunicorn-sync", "gunicorn-gthread", "uvicorn"]

SETTINGS = """
import recorded
HEALTHGUARD = {{
    "SERVICES": {{"one": Service({check}, {policy})}},
    "DEADLINE": {deadline},
    "DETAILS_TOKENS": [{token!r}],
}}
"""


def write(site: Site, policy: str, *, deadline: float = 30, check: str = "recorded.Recorded()", more: str = "") -> Site:
    """Write a site with one service, whose runs are recorded in a file."""
    settings = SETTINGS.format(check=check, policy=policy, deadline=deadline, token=TOKEN)
    return site.write(settings + more, adaptor="middleware", recorded=RECORDED)


def runs(site: Site) -> list[int]:
    """Return the processes that have begun a run, in order."""
    path = site.folder / "runs"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def switch(site: Site, name: str, *, on: bool = True) -> None:
    """Create or remove the file ``name``, which the check reads."""
    path = site.folder / name
    path.touch() if on else path.unlink()


def ask_until(server: Server, site: Site, number: int) -> None:
    """Send requests until this many runs have begun."""
    wait_until(lambda: server.get() is not None and len(runs(site)) >= number, lambda: server.log)


def changes(values: Iterable[Any]) -> list[Any]:
    """Return the values without those that equal the one before."""
    kept: list[Any] = []
    for value in values:
        if not kept or kept[-1] != value:
            kept.append(value)
    return kept


@pytest.mark.parametrize("kind", WORKER_KINDS)
def test_one_worker_runs_the_checks_and_all_answer(site: Site, kind: str) -> None:
    server = write(site, "ttl=300, timeout=60").serve(kind, workers=WORKERS)
    assert server.get().status == 200
    replies = server.each_worker("/api/health", WORKERS)
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == 1, "byte-identical"
    assert len(runs(site)) == 1


def test_details_name_the_same_run_in_each_worker(site: Site) -> None:
    server = write(site, "ttl=300, timeout=60").serve("gunicorn-gthread", workers=WORKERS)
    moments = set()
    for _ in range(some_of(40)):
        moments.add(server.get(headers=DETAILS).json["one"]["checked_at"])
    assert len(moments) == 1


@pytest.mark.parametrize("kind", WORKER_KINDS)
def test_run_of_a_killed_worker_is_taken_over_by_exactly_one(site: Site, kind: str) -> None:
    server = write(site, "ttl=300, timeout=600", deadline=0.1).serve(kind, workers=WORKERS)
    switch(site, "hold")
    ask_until(server, site, 1)
    # Other workers wait for that run too.
    for _ in range(10):
        server.get()
    os.kill(runs(site)[0], signal.SIGKILL)
    ask_until(server, site, 2)
    for _ in range(10):
        server.get()
    assert len(runs(site)) == 2
    assert runs(site)[1] != runs(site)[0]
    switch(site, "hold", on=False)
    assert server.until("/api/health", 200).status == 200
    assert len(runs(site)) == 2


@pytest.mark.parametrize("kind", WORKER_KINDS)
def test_run_of_a_stopped_worker_is_taken_over_after_the_timeout(site: Site, kind: str) -> None:
    server = write(site, "ttl=0.5, timeout=3", deadline=0.1).serve(kind, workers=WORKERS)
    assert server.until("/api/health", 200).status == 200
    switch(site, "hold")
    begun = len(runs(site))
    ask_until(server, site, begun + 1)
    stopped = psutil.Process(runs(site)[begun])
    stopped.suspend()
    switch(site, "hold", on=False)
    try:
        wait_until(lambda: _asked_briefly(server) and len(runs(site)) > begun + 1, lambda: server.log)
        assert runs(site)[begun + 1] != stopped.pid
    finally:
        stopped.resume()
    assert {server.get().status for _ in range(20)} == {200}, "the run that ends late harms nobody"


def _asked_briefly(server: Server) -> bool:
    """Send a request, and return True. If the stopped worker accepts it, nobody answers."""
    with contextlib.suppress(OSError):
        server.get(timeout=0.5)
    return True


@pytest.mark.parametrize("kind", WORKER_KINDS)
def test_answer_changes_once_when_a_fault_begins_and_once_when_it_ends(site: Site, kind: str) -> None:
    """Whichever worker is asked, in whichever order."""
    server = write(site, "ttl=0.3, timeout=60").serve(kind, workers=WORKERS)
    assert server.get().status == 200
    answers: list[int] = []

    def answers_with(status: int) -> bool:
        answers.append(server.get().status)
        return answers[-1] == status

    for is_off, status in ((True, 503), (False, 200)):
        switch(site, "off", on=is_off)
        wait_until(functools.partial(answers_with, status), lambda: server.log)
        answers += [server.get().status for _ in range(some_of(100))]
    assert changes(answers) in ([200, 503, 200], [503, 200])


def test_change_is_logged_by_one_worker(site: Site) -> None:
    server = write(site, "ttl=0.3, timeout=60").serve("gunicorn-gthread", workers=WORKERS)
    assert server.until("/api/health/ready", 200).status == 200
    switch(site, "off")
    wait_until(lambda: server.get().status == 503)
    assert [reply.status for reply in server.each_worker("/api/health", WORKERS)] == [503] * WORKERS
    switch(site, "off", on=False)
    wait_until(lambda: server.get().status == 200)
    server.until_logged("one: unhealthy -> healthy")
    server.stop()
    lines = [line for line in server.log.splitlines() if line.startswith("LOG") and "one: " in line]
    assert [line.split("one: ")[1].split(":")[0] for line in lines] == [
        "unknown -> healthy",
        "healthy -> unhealthy",
        "unhealthy -> healthy",
    ]
    assert server.log.count("The pod is ready.") == 1


def test_replaced_workers_run_no_check_again(site: Site) -> None:
    server = write(site, "ttl=300, timeout=60").serve("gunicorn-sync", "--max-requests", "5", workers=2)
    assert {server.get().status for _ in range(some_of(100))} == {200}
    assert len(runs(site)) == 1


def test_service_of_the_process_is_run_by_each_worker(site: Site) -> None:
    for policy, check in (("ttl=300, scope='process'", "recorded.Recorded()"), ("ttl=300", "recorded.OfProcess()")):
        (site.folder / "runs").unlink(missing_ok=True)
        server = write(site, f"{policy}, timeout=60", check=check).serve("gunicorn-sync", workers=2)
        assert [reply.status for reply in server.each_worker("/api/health", 2)] == [200, 200]
        assert len(set(runs(site))) == 2
        server.stop()


def test_new_declaration_does_not_use_old_outcomes(site: Site) -> None:
    """A reload keeps the server's process, and starts workers that read the new settings."""
    server = write(site, "ttl=300, timeout=60").serve("gunicorn-sync", workers=2)
    assert server.get().status == 200
    before = {worker.pid for worker in server.workers()}
    switch(site, "off")
    write(site, "ttl=301, timeout=60")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not before & {worker.pid for worker in server.workers()} and len(server.workers()) == 2)
    assert server.get().status == 503
    assert len(runs(site)) == 2


def test_workers_that_cannot_share_run_the_checks_themselves_and_say_so_once(site: Site) -> None:
    nowhere = "\nfrom healthguard.runner.pod import private_folder\nprivate_folder.places = lambda: []\n"
    server = write(site, "ttl=300, timeout=60", more=nowhere).serve("gunicorn-sync", workers=2)
    assert [reply.status for reply in server.each_worker("/api/health", 2)] == [200, 200]
    assert len(set(runs(site))) == 2
    server.stop()
    assert server.log.count("cannot share the results of their checks") == 2, "once per worker"


def test_removed_folder_is_made_again(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("place")
    site.environment["TMPDIR"] = str(place)
    server = write(site, "ttl=0.2, timeout=60").serve("gunicorn-sync", workers=2)
    assert server.until("/api/health", 200).status == 200
    (folder,) = place.glob("healthguard-*")
    shutil.rmtree(folder)
    wait_until(lambda: server.get().status == 200 and any(place.glob("healthguard-*/*/*-final")))
    assert {server.get().status for _ in range(20)} == {200}


def test_stored_files_contain_no_secret_and_are_private(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("place")
    site.environment["TMPDIR"] = str(place)
    switch(site, "off")
    server = write(site, "ttl=300, timeout=60").serve("gunicorn-sync", workers=2)
    assert server.get().status == 503
    (folder,) = place.glob("healthguard-*")
    assert folder.stat().st_mode & 0o777 == 0o700
    contents = _contents(folder)
    assert any(b'"off"' in content for content in contents), "the message of the check"
    assert not any(site.secret_key.encode() in content or TOKEN.encode() in content for content in contents)
    assert {file.stat().st_mode & 0o777 for file in _files(folder)} == {0o600}


def _contents(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in _files(folder)]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_idle_workers_answer_from_what_the_pod_knows(site: Site) -> None:
    """A healthy check that takes longer than DEADLINE is green in every worker, however rarely each is asked."""
    slow = "recorded.Slow()"
    site_settings = SETTINGS.format(check=slow, policy="ttl=0.1, stale_for=300, timeout=60", deadline=0.05, token=TOKEN)
    more = (
        RECORDED
        + """
class Slow(Recorded):
    def run(self):
        super().run()
        time.sleep(0.3)
"""
    )
    server = site.write(site_settings, adaptor="middleware", recorded=more).serve("gunicorn-sync", workers=8)
    assert server.until("/api/health/ready", 200).status == 200
    statuses = []
    for _ in range(some_of(60)):
        statuses.append(server.get("/api/health").status)
        time.sleep(0.05)
    assert set(statuses) == {200}


def test_json_of_a_shared_failure_equals_that_of_its_own_process(site: Site) -> None:
    switch(site, "off")
    server = write(site, "ttl=300, timeout=60").serve("gunicorn-sync", workers=WORKERS)
    bodies = set()
    for _ in range(some_of(40)):
        section = server.get(headers=DETAILS).json["one"]
        section.pop("age_seconds")
        bodies.add(json.dumps(section))
    assert len(bodies) == 1
