"""Runners that share a folder while something is missing: files cannot be opened, threads cannot be started."""

from __future__ import annotations

import errno
import logging
from pathlib import Path

import pytest

from healthguard import Degraded, Service, Unhealthy
from healthguard.runner.pod import knowledge
from healthguard.runtime import log
from healthguard.status import Fault, Status
from tests.support.pod_workers import (
    HUGE,
    LONG_TIMEOUT,
    TTL,
    WAIT_SECONDS,
    HangsBriefly,
    NewCheck,
    Worker,
    worker_of,
)
from tests.support.runner_checks import wait_for
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
        wait_for(lambda: "cannot share the results of their checks (OSError)" in caplog.text)
        assert log.flush(LONG_TIMEOUT)
    assert (names.calls, len(versions)) == (1, 1)
    assert caplog.text.count("cannot share the results") == 1


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
