"""Runners that share a folder while something is missing: files cannot be opened, threads cannot be started."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from healthguard import Degraded, Service, Unhealthy
from healthguard.runner.pod import knowledge, presence
from healthguard.runner.watcher import Watcher
from healthguard.runtime import log
from healthguard.status import Code, Fault, Status
from tests.support.pod_workers import (
    HUGE,
    LONG_TIMEOUT,
    TTL,
    WAIT_SECONDS,
    GatedTables,
    HangsBriefly,
    NewCheck,
    Worker,
    worker_of,
)
from tests.support.runner_checks import GatedCheck, WithoutThreads, wait_for
from tests.support.strange_checks import UNAVAILABLE

TOO_MANY_FILES = OSError(errno.EMFILE, "Too many open files")


class Unreadable:
    """A method that counts its calls, and fails."""

    def __init__(self, error: BaseException = TOO_MANY_FILES) -> None:
        self.error = error
        self.calls = 0

    def __call__(self, *args: object, **kwargs: object) -> None:
        self.calls += 1
        raise self.error


# Descriptors that the program has closed

CLOSED = -1
"""A descriptor that is not open, and whose number no other thread can get."""


def close_folder(worker: Worker) -> None:
    """Let every call that uses the folder of the worker's store fail with EBADF."""
    worker.store._folder._descriptor = CLOSED


def close_presence(worker: Worker) -> None:
    """Remove the folder, and let the end of the worker's presence fail with EBADF."""
    process = worker.store._presence
    _, _, arguments, _ = process.end.detach() or pytest.fail("the presence has ended")
    os.close(arguments[1])
    process.end = weakref.finalize(process, presence._close, process.token, CLOSED)
    shutil.rmtree(worker.folder)
    worker.folder.mkdir()


@pytest.mark.parametrize("close", [close_folder, close_presence])
def test_store_whose_descriptors_are_closed_raises_into_no_run(
    tmp_path: Path, new_check: NewCheck, close: Callable[[Worker], None]
) -> None:
    worker = worker_of(tmp_path, new_check(), ttl=0)
    close(worker)
    for _ in range(2):
        worker.start_one().done.result(WAIT_SECONDS)
        assert problems_of(worker) == []


def test_reason_for_which_results_are_not_shared_is_logged_once(
    tmp_path: Path, new_check: NewCheck, caplog: pytest.LogCaptureFixture
) -> None:
    log.forget()
    worker = worker_of(tmp_path, new_check(), ttl=0)
    close_folder(worker)
    with caplog.at_level(logging.WARNING, "healthguard"):
        for _ in range(3):
            worker.start_one().done.result(WAIT_SECONDS)
        assert log.flush(LONG_TIMEOUT)
    assert [line for line in caplog.messages if "cannot share" in line] == [knowledge._NOT_SHARED % "OSError: EBADF"]


# Outcomes that cannot be read


@pytest.mark.parametrize("method", ["names", "read"])
def test_outcome_that_could_not_be_read_is_read_later(
    first: HangsBriefly, tmp_path: Path, new_check: NewCheck, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """The folder does not change again: the next outcome may come only after the ttl."""
    worker = worker_of(tmp_path, new_check())
    with monkeypatch.context() as patch:
        patch.setattr(worker.store._folder, method, Unreadable())
        first.finish()
        assert worker.status() is Status.UNKNOWN
    wait_for(lambda: worker.status() is Status.HEALTHY)


def test_folder_that_cannot_be_read_is_not_read_for_each_request(
    first: HangsBriefly,
    tmp_path: Path,
    new_check: NewCheck,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Requests are answered from the cache meanwhile, and the log has one line."""
    monkeypatch.setattr(knowledge, "_READ_AGAIN_SECONDS", LONG_TIMEOUT)
    log.forget()
    worker = worker_of(tmp_path, new_check())
    names = Unreadable()
    monkeypatch.setattr(worker.store._folder, "names", names)
    first.finish()
    with caplog.at_level(logging.WARNING, "healthguard"):
        versions = {worker.runner.snapshot(worker.paths).version for _ in range(10)} | {worker.runner.version}
        wait_for(lambda: "cannot share the results of their checks (OSError: EMFILE)" in caplog.text)
        assert log.flush(LONG_TIMEOUT)
    assert (names.calls, len(versions)) == (1, 1)
    assert caplog.text.count("cannot share the results") == 1


# Claims


def test_claim_is_ended_if_an_error_follows_its_creation(
    tmp_path: Path, new_check: NewCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the other processes would wait for a run that nobody executes until its timeout expires."""
    worker, check = worker_of(tmp_path, new_check(is_open=False)), new_check()
    folder = worker.store._folder
    link = folder.link
    with monkeypatch.context() as patch:

        def link_and_fail_from_now_on(file: str, new: str) -> None:
            link(file, new)
            patch.setattr(folder, "names", Unreadable())

        patch.setattr(folder, "link", link_and_fail_from_now_on)
        run = worker.start_one()
    assert (run.claim, worker.records("claim")) == (None, [])
    other = worker_of(tmp_path, check).start_one()
    assert not other.is_remote
    other.done.result(WAIT_SECONDS)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES], ids=errno.errorcode.get)
def test_files_that_cannot_be_opened_are_not_removed(
    first: HangsBriefly, tmp_path: Path, new_check: NewCheck, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """They belong to processes that are running."""
    other = Worker(tmp_path, {"two": Service(new_check(), ttl=TTL, timeout=LONG_TIMEOUT)})
    other.start_one().done.result(WAIT_SECONDS)
    assert other.status("two") is Status.HEALTHY
    worker = Worker(tmp_path, {name: Service(new_check(), ttl=TTL) for name in ("one", "two")})
    before = {path.name for path in tmp_path.iterdir()}
    monkeypatch.setattr(presence, "_own_tokens", {worker.store._presence.token})
    monkeypatch.setattr(worker.store._folder, "opened", Unreadable(OSError(number, "x")))
    for run in worker.start(fresh=True):
        run.done.result(WAIT_SECONDS)
    assert (worker.status("one"), worker.status("two")) == (Status.HEALTHY, Status.HEALTHY)
    worker.store._remove_leftovers()
    assert before <= {path.name for path in tmp_path.iterdir()}


# Threads that cannot be started


def problems_of(worker: Worker, name: str = "one") -> list[str]:
    """Return the codes of the problems that a response of this worker contains."""
    return [problem.code for problem in worker.runner.snapshot([(name,)]).reports[name,].problems]


def test_run_without_a_thread_ends_its_claim_and_is_not_shared(
    tmp_path: Path, new_check: NewCheck, without_threads: WithoutThreads
) -> None:
    """Another process may have a thread left."""
    worker, other = worker_of(tmp_path, new_check()), worker_of(tmp_path, new_check())
    with without_threads("healthguard-one"):
        worker.start_one().done.result(WAIT_SECONDS)
    assert problems_of(worker) == [Code.NO_THREAD]
    assert [worker.records(kind) for kind in ("claim", "late", "final")] == [[], [], []]
    run = other.start_one()
    assert not run.is_remote
    run.done.result(WAIT_SECONDS)
    assert (other.status(), worker.status()) == (Status.HEALTHY, Status.HEALTHY)


def test_next_request_runs_what_had_no_thread(
    tmp_path: Path, new_check: NewCheck, without_threads: WithoutThreads
) -> None:
    worker = worker_of(tmp_path, new_check(), ttl=0)
    with without_threads("healthguard-one"):
        worker.start_one().done.result(WAIT_SECONDS)
    worker.start_one().done.result(WAIT_SECONDS)
    assert worker.status() is Status.HEALTHY


@pytest.mark.usefixtures("patience")
def test_runs_that_cannot_be_handed_over_end_their_claims(
    tmp_path: Path, new_check: NewCheck, without_threads: WithoutThreads
) -> None:
    hanging = new_check(is_open=False)

    def services(check: GatedCheck) -> dict[str, Service]:
        names = ("one", "two", "three")
        return {name: Service(GatedTables(check), ttl=TTL, timeout=LONG_TIMEOUT) for name in names}

    worker, other = Worker(tmp_path, services(hanging)), Worker(tmp_path, services(new_check()))
    runs = worker.start()
    wait_for(lambda: hanging.runs == 1)
    (round_,) = worker.runner._rounds
    with without_threads("healthguard-two"):
        round_.hand_over_from = 0.0
        worker.runner._watcher.look_again()
        for run in runs[1:]:
            run.done.result(WAIT_SECONDS)
    assert [problems_of(worker, name) for name in ("two", "three")] == [[Code.NO_THREAD]] * 2
    assert (len(worker.records("claim")), worker.records("final")) == (1, [])
    for run in other.start()[1:]:
        run.done.result(WAIT_SECONDS)
    assert [worker.status(name) for name in ("two", "three")] == [Status.HEALTHY] * 2
    assert hanging.runs == 1


def test_next_request_starts_the_watcher_that_had_no_thread(
    first: HangsBriefly, tmp_path: Path, new_check: NewCheck, without_threads: WithoutThreads
) -> None:
    worker = worker_of(tmp_path, new_check())
    with without_threads("healthguard-watcher"):
        run = worker.start_one()
        assert run.is_remote
    assert worker.start_one() is run
    first.kill()
    run.done.result(WAIT_SECONDS)
    assert worker.status() is Status.HEALTHY


def test_watcher_that_an_error_has_ended_is_started_again() -> None:
    looks = []

    def look() -> None:
        looks.append(threading.current_thread())
        if len(looks) == 1:
            raise SystemExit

    watcher = Watcher(look)
    watcher.wake()
    wait_for(lambda: looks)
    looks[0].join(WAIT_SECONDS)
    watcher.ensure()
    wait_for(lambda: len(looks) == 2)


def test_runs_are_started_although_the_request_for_them_fails(tmp_path: Path, new_check: NewCheck) -> None:
    """Other requests wait for them."""
    worker = worker_of(tmp_path, new_check())
    with pytest.raises(KeyError):
        worker.runner.start_due([("one",), ("unknown",)], WAIT_SECONDS)
    wait_for(lambda: worker.status() is Status.HEALTHY)


# Timeouts that are shorter than the delay of a hand-over


def test_services_with_a_tiny_timeout_are_run_although_one_hangs(tmp_path: Path, new_check: NewCheck) -> None:
    hanging, check = new_check(is_open=False), new_check()
    checks = {"one": hanging, "two": check, "three": check}
    worker = Worker(tmp_path, {name: Service(GatedTables(gated), ttl=0, timeout=0.1) for name, gated in checks.items()})

    expected = [Status.UNHEALTHY, Status.HEALTHY, Status.HEALTHY]
    wait_for(lambda: worker.start(deadline=0.1) and [worker.status(name) for name in checks] == expected)
    assert hanging.runs == 1
    hanging.gate.set()
    wait_for(lambda: not any(slot.run for slot in worker.runner._slots.values()))
    assert worker.records("claim") == []


# Outcomes that are too large


def test_outcome_that_is_too_large_is_logged_with_its_service_and_the_others_are_shared(
    tmp_path: Path, new_check: NewCheck, caplog: pytest.LogCaptureFixture
) -> None:
    log.forget()
    large, small = new_check(), new_check()
    large.error = Unhealthy("large", "x", fault=Fault.CONFIG, hint="y", evidence=HUGE)
    services = {name: Service(check, ttl=TTL, timeout=LONG_TIMEOUT) for name, check in (("l", large), ("s", small))}
    with caplog.at_level(logging.WARNING, "healthguard"):
        for worker in (Worker(tmp_path, services), Worker(tmp_path, services)):
            for run in worker.start():
                run.done.result(WAIT_SECONDS)
            assert (worker.status("l"), worker.status("s")) == (Status.UNHEALTHY, Status.HEALTHY)
        assert log.flush(LONG_TIMEOUT)
    assert (large.runs, small.runs) == (2, 1)
    assert [line for line in caplog.messages if "cannot share" in line] == [knowledge._TOO_LARGE % "l"]


# Changes of status


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the changes of the service ``one`` that were logged, without their reasons."""
    assert log.flush(LONG_TIMEOUT)
    return [line.split(": ")[1] for line in caplog.messages if line.startswith("one: ")]


def test_change_is_logged_by_one_process_of_the_pod(
    tmp_path: Path, new_check: NewCheck, caplog: pytest.LogCaptureFixture
) -> None:
    check = new_check()
    workers = [worker_of(tmp_path, check) for _ in range(4)]
    with caplog.at_level(logging.INFO, "healthguard"):
        for error in (None, UNAVAILABLE, None):
            check.error = error
            workers[0].start_one(fresh=True).done.result(WAIT_SECONDS)
            assert len({worker.status() for worker in workers}) == 1
        assert lines_of(caplog) == ["unknown -> healthy", "healthy -> unhealthy", "unhealthy -> healthy"]


@pytest.mark.parametrize("is_stored_again", [True, False])
def test_change_of_an_outcome_that_cannot_be_stored_is_logged(
    tmp_path: Path,
    new_check: NewCheck,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    is_stored_again: bool,
) -> None:
    """No other process can log it."""
    check = new_check()
    worker = worker_of(tmp_path, check)
    with caplog.at_level(logging.INFO, "healthguard"):
        worker.start_one().done.result(WAIT_SECONDS)
        with monkeypatch.context() as patch:
            patch.setattr(worker.store, "_write", Unreadable(OSError(errno.ENOSPC, "full")))
            check.error = UNAVAILABLE
            worker.start_one(fresh=True).done.result(WAIT_SECONDS)
            check.error = None
            if not is_stored_again:
                worker.start_one(fresh=True).done.result(WAIT_SECONDS)
        if is_stored_again:
            worker.start_one(fresh=True).done.result(WAIT_SECONDS)
        assert worker.status() is Status.HEALTHY
        assert lines_of(caplog) == ["unknown -> healthy", "healthy -> unhealthy", "unhealthy -> healthy"]


def test_failure_that_follows_one_that_could_not_be_stored_is_recorded_for_the_others(
    tmp_path: Path, new_check: NewCheck, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = new_check()
    worker, other = worker_of(tmp_path, check), worker_of(tmp_path, check)
    with caplog.at_level(logging.INFO, "healthguard"):
        worker.start_one().done.result(WAIT_SECONDS)
        assert other.status() is Status.HEALTHY
        with monkeypatch.context() as patch:
            patch.setattr(worker.store, "_write", Unreadable(OSError(errno.ENOSPC, "full")))
            check.error = Degraded("slow", "x", fault=Fault.OUTAGE, hint="y")
            worker.start_one(fresh=True).done.result(WAIT_SECONDS)
        check.error = UNAVAILABLE
        worker.start_one(fresh=True).done.result(WAIT_SECONDS)
        assert (worker.status(), other.status()) == (Status.UNHEALTHY, Status.UNHEALTHY)
        assert lines_of(caplog) == ["unknown -> healthy", "healthy -> degraded", "degraded -> unhealthy"]


def test_run_that_ends_after_a_newer_one_of_another_process_changes_nothing(
    tmp_path: Path, new_check: NewCheck, caplog: pytest.LogCaptureFixture
) -> None:
    """This process was stopped meanwhile, so its own run is beyond its timeout."""
    check = new_check(is_open=False)
    worker, other = worker_of(tmp_path, check), worker_of(tmp_path, new_check())
    with caplog.at_level(logging.INFO, "healthguard"):
        other.start_one().done.result(WAIT_SECONDS)
        assert (other.status(), worker.status()) == (Status.HEALTHY, Status.HEALTHY)
        run = worker.start_one(fresh=True)
        wait_for(lambda: check.runs == 1)
        worker.kill()
        other.start_one(fresh=True).done.result(WAIT_SECONDS)
        run.started -= LONG_TIMEOUT
        check.gate.set()
        run.done.result(WAIT_SECONDS)
        assert (other.status(), worker.status()) == (Status.HEALTHY, Status.HEALTHY)
        assert lines_of(caplog) == ["unknown -> healthy"]
