"""Runners that share a folder while something is missing: files cannot be opened, threads cannot be started."""

from __future__ import annotations

import errno
import logging
from pathlib import Path

import pytest

from healthguard import Service, Unhealthy
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
