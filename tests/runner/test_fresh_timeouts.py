"""Timeouts in the report of a request for fresh results: only those that are still true when the request comes."""

from __future__ import annotations

import time
from pathlib import Path

from healthguard.status import Status
from tests.support.pod_workers import LONG_TIMEOUT, HangsBriefly, NewCheck, Worker, worker_of
from tests.support.runner_checks import wait_for


def fresh_report(worker: Worker, since: float) -> tuple[Status, list[str]]:
    """Return the status and the codes that a request for fresh results gets, which came at ``since``."""
    report = worker.runner.snapshot([("one",)], since).reports[("one",)]
    return report.status, [problem.code for problem in report.problems]


def expire(worker: HangsBriefly) -> None:
    """Let the timeout of the run in flight expire now, and store that."""
    worker.run.started -= LONG_TIMEOUT
    assert worker.status() is Status.UNHEALTHY


def test_timeout_is_reported_as_long_as_its_run_hangs(first: HangsBriefly) -> None:
    """No other run can begin, and that this one hangs is still true."""
    expire(first)
    since = time.monotonic()
    following = first.start_one(fresh=True)
    assert following is not first.run
    assert fresh_report(first, since) == (Status.UNHEALTHY, ["timeout"])
    first.finish()
    following.done.result(LONG_TIMEOUT)
    assert fresh_report(first, since) == (Status.HEALTHY, [])


def test_timeout_of_a_run_that_another_process_took_over_is_old(
    first: HangsBriefly, tmp_path: Path, new_check: NewCheck
) -> None:
    expire(first)
    check = new_check(is_open=False)
    worker = worker_of(tmp_path, check)
    assert worker.status() is Status.UNHEALTHY, "without fresh=1, the last outcome counts"
    first.kill()
    since = time.monotonic()
    run = worker.start_one(fresh=True)
    wait_for(lambda: check.runs == 1)
    assert fresh_report(worker, since) == (Status.UNKNOWN, ["pending"])
    check.gate.set()
    run.done.result(LONG_TIMEOUT)
    assert fresh_report(worker, since) == (Status.HEALTHY, [])


def test_timeout_of_another_process_that_expires_after_the_request_is_reported(
    first: HangsBriefly, tmp_path: Path, new_check: NewCheck
) -> None:
    worker = worker_of(tmp_path, new_check())
    since = time.monotonic()
    assert worker.start_one(fresh=True).is_remote
    assert fresh_report(worker, since) == (Status.UNKNOWN, ["pending"])
    expire(first)
    assert fresh_report(worker, since) == (Status.UNHEALTHY, ["timeout"])
