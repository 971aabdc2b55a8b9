"""The runners of several workers that share one folder: waiting, takeovers, cached responses, failures of the store."""

from __future__ import annotations

import asyncio
import errno
import threading
from pathlib import Path

import pytest

from healthguard import Service, Unhealthy
from healthguard.runner.problems import RUN_CRASHED
from healthguard.status import Fault, Status
from tests.support.pod_workers import (
    HUGE,
    LONG_TIMEOUT,
    TTL,
    WAIT_SECONDS,
    GatedTables,
    HangsBriefly,
    NewCheck,
    Worker,
    before_first_call,
    worker_of,
)
from tests.support.runner_checks import GatedCheck, is_true_in_fork, wait_for

# Responses from the cache


def test_cached_response_expires_although_a_background_task_is_left_behind(tmp_path: Path, new_check: NewCheck) -> None:
    left_behind = new_check(is_open=False)

    class LeavesATask(GatedCheck):
        async def run(self) -> None:  # type: ignore[override]
            asyncio.get_running_loop().run_in_executor(None, left_behind.run)

    worker = worker_of(tmp_path, LeavesATask())
    run = worker.start_one()
    run.done.result(WAIT_SECONDS)
    slot = worker.slot()
    assert (slot.run, slot.requested) == (run, None)
    assert slot.fresh_until(max(run.ends, run.abort_from)) == worker.outcome().fresh_until


def test_cached_response_expires_although_the_own_run_hangs_behind_an_outcome_of_another_worker(
    first: HangsBriefly, tmp_path: Path, new_check: NewCheck
) -> None:
    first.kill()
    worker_of(tmp_path, new_check()).start_one().done.result(WAIT_SECONDS)
    assert first.status() is Status.HEALTHY
    slot = first.slot()
    assert (slot.run, slot.requested) == (first.run, None)
    assert slot.fresh_until(max(first.run.ends, first.run.abort_from)) == first.outcome().fresh_until


def test_cached_response_expires_at_once_if_a_result_expires_while_the_request_waits(
    first: HangsBriefly, tmp_path: Path, new_check: NewCheck
) -> None:
    """The request may wait for another service, after it has found that this one is fresh."""
    first.kill()
    worker_of(tmp_path, new_check()).start_one().done.result(WAIT_SECONDS)
    first.runner._sync()
    expired = max(first.run.ends, first.outcome().fresh_until)
    assert first.slot().fresh_until(expired) == 0.0


# Waiting for another worker


def test_fresh_request_gets_its_own_run_as_soon_as_that_of_another_worker_ends(
    first: HangsBriefly, tmp_path: Path, new_check: NewCheck
) -> None:
    check = new_check()
    run = worker_of(tmp_path, check).start_one(fresh=True)
    assert run.is_remote
    first.finish()
    run.done.result(WAIT_SECONDS)
    assert check.runs == 1


def test_worker_runs_a_service_at_once_if_the_outcome_of_another_is_too_large(
    first: HangsBriefly, tmp_path: Path, new_check: NewCheck
) -> None:
    first.check.gate.set()
    first.run.done.result(WAIT_SECONDS)
    first.check.gate.clear()
    first.check.error = Unhealthy("large", "x", fault=Fault.CONFIG, hint="y", evidence=HUGE)
    own = first.start_one(fresh=True)
    wait_for(lambda: first.check.runs == 2)
    check = new_check()
    run = worker_of(tmp_path, check).start_one(fresh=True)
    assert run.is_remote
    first.check.gate.set()
    run.done.result(WAIT_SECONDS)
    own.done.result(WAIT_SECONDS)
    assert (first.status(), check.runs) == (Status.HEALTHY, 1), "the outcome of the second worker is newer"


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), MemoryError()], ids=["full", "memory"])
def test_worker_runs_a_service_at_once_if_another_cannot_publish(
    first: HangsBriefly, tmp_path: Path, new_check: NewCheck, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(file: str, content: object) -> None:
        raise error

    monkeypatch.setattr(first.store, "_write", fail)
    check = new_check()
    run = worker_of(tmp_path, check).start_one()
    assert run.is_remote
    first.finish()
    run.done.result(WAIT_SECONDS)
    assert check.runs == 1


@pytest.mark.parametrize("method", ["take", "outcomes"])
def test_run_ends_although_there_is_no_memory_for_the_store(
    tmp_path: Path, new_check: NewCheck, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    worker = worker_of(tmp_path, new_check())

    def fail(*args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(worker.store, method, fail)
    worker.start_one().done.result(WAIT_SECONDS)
    assert worker.status() is Status.HEALTHY


def test_request_is_forgotten_when_the_outcome_of_another_worker_answers_it(
    tmp_path: Path, new_check: NewCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the outcome would be stale after ``stale_for``, although nobody has requested another one."""
    other = worker_of(tmp_path, new_check())
    check = new_check()
    worker = worker_of(tmp_path, check)
    before_first_call(monkeypatch, worker.pod, "take", lambda: other.start_one().done.result(WAIT_SECONDS))
    worker.start()
    assert (check.runs, worker.outcome(), worker.slot().run) == (0, other.outcome(), None)
    assert worker.slot().requested is None


# Takeovers


def test_claim_of_a_run_that_has_ended_meanwhile_is_given_up(
    first: HangsBriefly, tmp_path: Path, new_check: NewCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = new_check()
    worker = worker_of(tmp_path, check)
    run = worker.start_one()
    assert run.is_remote
    claimed: list[str] = []

    def answer() -> None:
        first.finish()
        worker.runner._sync()
        claimed.extend(worker.records("claim"))

    before_first_call(monkeypatch, worker.pod, "is_own", answer)
    first.kill()
    run.done.result(WAIT_SECONDS)
    wait_for(lambda: claimed and not worker.records("claim"))
    assert (len(claimed), check.runs) == (1, 0)


@pytest.mark.usefixtures("patience")
def test_services_of_one_database_are_taken_over_in_one_round(
    tmp_path: Path, new_check: NewCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    class Recorded(GatedTables):
        def run(self) -> None:  # type: ignore[override]
            threads.append(threading.current_thread())
            super().run()

    def services(check: GatedCheck) -> dict[str, Service]:
        return {name: Service(Recorded(check), ttl=TTL, timeout=LONG_TIMEOUT) for name in ("one", "two", "three")}

    hanging = new_check(is_open=False)
    other = Worker(tmp_path, services(hanging))
    other.start()
    wait_for(lambda: hanging.runs == 1)
    worker = Worker(tmp_path, services(new_check()))
    # The test itself watches, so that it does not kill the other worker while that is half checked.
    monkeypatch.setattr(worker.runner._watcher, "wake", lambda: None)
    runs = worker.start()
    assert [run.is_remote for run in runs] == [True] * 3
    threads.clear()
    other.kill()
    worker.runner._watch()
    for run in runs:
        run.done.result(WAIT_SECONDS)
    assert (len(threads), len(set(threads))) == (3, 1)


def test_aborted_runs_of_other_workers_count_after_a_takeover(
    first: HangsBriefly, tmp_path: Path, new_check: NewCheck
) -> None:
    """Each abort may leave a connection open on the server, whichever worker has opened it."""
    check = new_check(is_open=False)
    run = worker_of(tmp_path, check).start_one()
    assert (run.is_remote, run.aborts) == (True, 0)
    first.run.started -= LONG_TIMEOUT
    assert first.status() is Status.UNHEALTHY
    first.kill()
    wait_for(lambda: check.runs == 1)
    assert run.aborts == 1


def test_worker_that_could_not_remove_its_claim_gets_another_one(
    first: HangsBriefly, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(first.store._folder, "remove", lambda file: False)
        first.finish()
    run = first.start_one(fresh=True)
    run.done.result(WAIT_SECONDS)
    assert (run.generation, first.outcome().started) == (2, run.started)


def test_child_that_a_check_has_forked_publishes_nothing(
    first: HangsBriefly, tmp_path: Path, new_check: NewCheck
) -> None:
    outcome = first.run.failure(RUN_CRASHED)
    (key,) = first.pod._keys.values()
    assert is_true_in_fork(lambda: not first.pod.publish(key, outcome))
    assert (len(first.records("claim")), first.records("final")) == (1, [])
    first.finish()
    assert worker_of(tmp_path, new_check()).status() is Status.HEALTHY


def test_timeout_of_a_run_that_is_not_shared_is_not_replaced_by_the_result_before_it(
    first: HangsBriefly, tmp_path: Path, new_check: NewCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    first.finish()
    first.check.gate.clear()

    def fail(*args: object) -> None:
        raise OSError(errno.EMFILE, "too many")

    with monkeypatch.context() as patch:
        patch.setattr(first.store, "take", fail)
        run = first.start_one(fresh=True)
    wait_for(lambda: first.check.runs == 2)
    run.started -= LONG_TIMEOUT
    assert first.status() is Status.UNHEALTHY
    worker_of(tmp_path, new_check())
    assert first.status() is Status.UNHEALTHY, "the folder has changed, and is read again"
