"""Probes on every server: without a fault, under faults, and when its workers are replaced."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import psutil
import pytest

from tests.faults.outcomes import milliseconds
from tests.servers.conftest import ServedSite
from tests.servers.kinds import KINDS, Kind, Replacement
from tests.servers.probing import PATIENCE, pids_that_answer, replies, statuses, wait_for, wait_until_ready
from tests.servers.table import TABLE, Record
from tests.support.sites import Reply, Server

PATHS = ("", "/live", "/startup", "/ready")
METHODS = ("GET", "HEAD", "OPTIONS")
BOUND = 30.0
"""The longest time that a response may take while a check hangs (seconds). The check hangs until the test ends it."""
GRACE = 25.0
"""The longest time that a shutdown may take (seconds). Kubernetes kills the server after 30 s."""
HEALTHY = {"database": "healthy", "faulty": "healthy", "fine": "healthy"}

Start = Callable[[Kind], Server]
servers = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def servers_that(replacement: Replacement) -> pytest.MarkDecorator:
    """Parametrize a test with the servers that have this kind of replacement."""
    kinds = [kind for kind in KINDS if kind.replacement is replacement]
    return pytest.mark.parametrize("kind", kinds, ids=lambda kind: kind.name)


@servers
def test_probes_answer_json_to_every_method_and_host(
    kind: Kind, start: Start, served_site: ServedSite, record: Record
) -> None:
    """kubelet sends the address of the pod as Host, which the project does not allow."""
    server = start(kind)
    wait_until_ready(server)
    wait_for(lambda: statuses(server, "") == {200}, "all services are healthy", server)
    expected = {"": 200, "/live": 200, "/startup": 200, "/ready": 200}
    assert {path: codes(server, path) for path in PATHS} == {path: {code} for path, code in expected.items()}
    served_site.link.down()
    wait_for(lambda: statuses(server, "") == {503}, "the database is down", server)
    expected[""] = 503
    assert {path: codes(server, path) for path in PATHS} == {path: {code} for path, code in expected.items()}
    assert server.get("/pid").status == 400, "the project itself does not allow this Host"
    record.note(kind, "probes", f"JSON, {', '.join(METHODS)}")


def codes(server: Server, path: str) -> set[int]:
    """Return the status codes of a path, with every method and two Hosts; each response must be JSON."""
    found = set()
    for method in METHODS:
        for host in (None, "10.20.30.40:8000"):
            reply = server.get(f"/api/health{path}", method, host=host)
            assert reply.headers["content-type"] == "application/json", reply
            assert reply.body == b"" if method == "HEAD" else "status" in reply.json
            found.add(reply.status)
    return found


@servers
def test_hung_check_delays_no_other_answer(kind: Kind, start: Start, served_site: ServedSite, record: Record) -> None:
    """A check that never ends is a timeout of its own service, and affects no other service."""
    server = start(kind)
    wait_until_ready(server)
    wait_for(
        lambda: all(r.json["services"] == HEALTHY for r in replies(server, "", 20)), "all services are healthy", server
    )
    served_site.fault.write_text("sleep")
    answers: list[Reply] = []

    def is_reported() -> bool:
        last = replies(server, "", 20)
        answers.extend(last)
        return all(reply.json["services"]["faulty"] == "unhealthy" for reply in last)

    wait_for(is_reported, "the hung check is reported", server)
    live, ready = replies(server, "/live", 20), replies(server, "/ready", 20)
    assert {reply.status for reply in live} == {200}
    assert {reply.status for reply in ready} == {200}, "the server has been ready once"
    assert {(r.json["services"]["database"], r.json["services"]["fine"]) for r in answers} == {("healthy", "healthy")}
    slowest = max(reply.seconds for reply in [*answers, *live, *ready])
    assert slowest < BOUND
    served_site.fault.write_text("")
    wait_for(
        lambda: all(r.json["services"] == HEALTHY for r in replies(server, "", 20)),
        "all services are healthy again",
        server,
    )
    record.note(kind, "hung check", "others healthy, `/live` 200")
    record.note(kind, "slowest response", milliseconds(slowest))


@servers
def test_draining_server_is_not_ready_until_the_file_disappears(
    kind: Kind, start: Start, served_site: ServedSite, record: Record
) -> None:
    server = start(kind)
    wait_until_ready(server)
    served_site.drain.touch()
    assert {(r.status, r.json["draining"]) for r in replies(server, "/ready", 20)} == {(503, True)}
    assert statuses(server, "/live") == {200}
    served_site.drain.unlink()
    assert statuses(server, "/ready") == {200}
    record.note(kind, "draining", "503, then 200")


@pytest.mark.parametrize("killed", ["one worker killed", "all workers killed"])
@servers_that(Replacement.WORKER)
def test_replaced_worker_is_ready_while_the_database_is_down(
    kind: Kind, killed: str, start: Start, served_site: ServedSite, record: Record
) -> None:
    """The server has been ready once, and its workers share the startup latch."""
    server = start(kind)
    wait_until_ready(server)
    served_site.link.down()
    wait_for(lambda: statuses(server, "") == {503}, "the database is down", server)
    workers = kind.worker_processes(server)
    assert len(workers) == kind.workers
    gone = workers[:1] if killed == "one worker killed" else workers
    for worker in gone:
        worker.kill()
    before = {worker.pid for worker in workers}

    def is_replaced() -> bool:
        now = {worker.pid for worker in kind.worker_processes(server)}
        return len(now) == kind.workers and len(now - before) == len(gone)

    wait_for(is_replaced, "the killed workers are replaced", server)
    wait_for(lambda: pids_that_answer(server) - before, "a new worker answers", server)
    assert [reply.status for reply in replies(server, "/ready", 30)] == [200] * 30
    assert server.get("/api/health").status == 503, "the database is still down"
    record.note(kind, killed, "ready")


@pytest.mark.parametrize("killed", ["one worker killed", "all workers killed"])
@servers_that(Replacement.NOTHING)
def test_killed_worker_ends_the_server(kind: Kind, killed: str, start: Start, record: Record) -> None:
    """The supervisor starts a new server, which has not been ready."""
    server = start(kind)
    wait_until_ready(server)
    workers = kind.worker_processes(server)
    assert len(workers) == kind.workers
    for worker in workers[:1] if killed == "one worker killed" else workers:
        # The server may have ended the second worker already.
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.kill()
    server.process.wait(PATIENCE)
    _, alive = psutil.wait_procs(workers, PATIENCE)
    assert not alive
    record.note(kind, killed, "the server ends")


@servers_that(Replacement.NO_WORKERS)
def test_server_without_workers_is_one_process(kind: Kind, start: Start, record: Record) -> None:
    """The server has no worker that it could replace."""
    server = start(kind)
    assert pids_that_answer(server) == {server.process.pid}
    assert psutil.Process(server.process.pid).children() == []
    record.note(kind, "one worker killed", "one process")
    record.note(kind, "all workers killed", "one process")


@servers
def test_fresh_server_is_not_ready_until_the_database_is_up(
    kind: Kind, start: Start, served_site: ServedSite, record: Record
) -> None:
    """A restarted server does not inherit the startup latch of the one before it."""
    first = start(kind)
    wait_until_ready(first)
    first.stop()
    served_site.link.down()
    server = start(kind)
    assert {path: statuses(server, path) for path in ("/ready", "/startup")} == {"/ready": {503}, "/startup": {503}}
    assert statuses(server, "/live") == {200}
    served_site.link.up()
    wait_until_ready(server)
    assert {path: statuses(server, path) for path in ("/ready", "/startup")} == {"/ready": {200}, "/startup": {200}}
    record.note(kind, "restart", "503 until the database is up")


@servers
def test_shutdown_ends_in_time_while_a_check_hangs(
    kind: Kind, start: Start, served_site: ServedSite, record: Record
) -> None:
    server = start(kind)
    wait_until_ready(server)
    served_site.fault.write_text("sleep")
    wait_for(lambda: server.get().json["services"]["faulty"] != "healthy", "the check hangs", server)
    family = psutil.Process(server.process.pid).children(recursive=True)
    began = time.monotonic()
    server.process.terminate()
    server.process.wait(GRACE)
    seconds = time.monotonic() - began
    _, alive = psutil.wait_procs(family, PATIENCE)
    assert not alive
    record.note(kind, "shutdown", f"{seconds:.1f} s")


@servers
def test_row_is_in_the_page(kind: Kind, record: Record) -> None:
    """docs/reliability.md documents the results of the tests above."""
    kind.skip_if_missing()
    assert not record.missing(kind), "the tests of these columns have failed or were not run"
    TABLE.publish(record.row(kind))


def test_page_has_only_rows_of_these_servers() -> None:
    """The row of a server that is no longer tested is removed."""
    assert TABLE.names() <= {kind.name for kind in KINDS}
