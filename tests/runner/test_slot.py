"""The report of one service while a run is in flight, hangs or is overdue, and how long requests wait for it."""

from __future__ import annotations

import dataclasses
import functools
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from healthguard import Service
from healthguard.http.handler import Request, respond
from healthguard.probes import get_state
from healthguard.runner import Run
from healthguard.runner.slot import SLOW_RUN_WAIT
from tests.support import strange_checks as strange
from tests.support.fixture_types import Declare
from tests.support.runner_checks import GatedCheck, LeavesExecutorCall, ThreadNames, get_health, wait_for

LONG_DEADLINE = 30
"""The DEADLINE of the tests of slow runs (seconds). No request waits that long."""

DeclareSlow = Callable[..., GatedCheck]
"""``declare_slow(ttl=0, **services)`` returns a check whose last run took longer than DEADLINE."""


def test_a_hanging_check_costs_only_the_first_probe_its_deadline(declare: Declare) -> None:
    hangs = GatedCheck(is_open=False)
    declare({"hangs": Service(hangs, timeout=90), "fine": Service(strange.Fine, ttl=300)}, DEADLINE=1.5)
    started = time.monotonic()
    status, body = get_health()
    assert 1.4 < time.monotonic() - started < 45
    assert (status, body["services"]["hangs"]) == (503, "unknown")
    assert body["hangs"]["checks"][0]["code"] == "pending"
    wait_for(lambda: get_health()[1]["services"]["fine"] == "healthy")
    started = time.monotonic()
    for _ in range(50):
        get_health()
    assert time.monotonic() - started < 40, "if each waited, it would be 75 s"
    hangs.gate.set()


def test_a_check_beyond_its_timeout_is_unhealthy_and_holds_one_thread(
    declare: Declare, own_threads: ThreadNames
) -> None:
    hangs = GatedCheck(is_open=False)
    declare({"hangs": Service(hangs, timeout=0.5, ttl=300), "fine": strange.Fine}, DEADLINE=0.1)
    wait_for(lambda: get_health()[1]["services"] == {"hangs": "unhealthy", "fine": "healthy"})
    found = get_health()[1]["hangs"]["checks"][0]
    assert (found["code"], found["fault"]) == ("timeout", "outage")
    # A timeout is reported even if the thread of the run has not begun yet.
    wait_for(lambda: hangs.runs == 1)
    assert own_threads().count("healthguard-hangs") == hangs.runs == 1
    hangs.gate.set()
    wait_for(lambda: "healthguard-hangs" not in own_threads())
    assert hangs.ended == 1
    assert get_health()[1]["services"]["hangs"] == "unhealthy", "a result after the timeout is not healthy"


def test_hanging_run_is_not_started_a_second_time(declare: Declare) -> None:
    check = GatedCheck(is_open=False)
    declare({"hangs": Service(check, timeout=0.1, ttl=0)}, DEADLINE=0.1)
    wait_for(lambda: get_health() and check.runs > 0)
    for _ in range(10):
        get_health()
        time.sleep(0.05)
    assert check.runs == 1
    check.gate.set()


def test_call_that_is_left_in_an_executor_does_not_delay_the_result(declare: Declare, own_threads: ThreadNames) -> None:
    check = LeavesExecutorCall()
    declare({"gives": Service(check, timeout=8, ttl=0.1, stale_for=300)})
    started = time.monotonic()
    while time.monotonic() - started < 8.5:
        status, body = get_health()
        assert (status, body["services"]["gives"]) == (200, "degraded"), "the result stays valid after the timeout"
        time.sleep(0.1)
    assert len(own_threads()) <= 2, "its run, and the one call that hangs"
    check.released.set()


def test_stale_result_is_served_while_a_run_is_in_flight(declare: Declare, own_threads: ThreadNames) -> None:
    check = GatedCheck()
    declare({"slow": Service(check, ttl=0.1, stale_for=300, timeout=90)}, DEADLINE=0.1)
    wait_for(lambda: get_health()[0] == 200)
    wait_for(lambda: not own_threads())
    check.gate.clear()
    wait_for(lambda: get_health() and check.runs - check.ended == 1)
    for _ in range(3):
        status, body = get_health()
        assert (status, body["status"], check.runs - check.ended) == (200, "healthy", 1)
    check.gate.set()


def test_stale_result_is_served_no_longer_than_stale_for(declare: Declare) -> None:
    check = GatedCheck()
    declare({"slow": Service(check, ttl=0.1, stale_for=0.5, timeout=90)}, DEADLINE=0.1)
    wait_for(lambda: get_health()[0] == 200)
    check.gate.clear()
    wait_for(lambda: get_health()[1]["slow"]["checks"][0].get("code") == "stale")
    status, body = get_health()
    assert (status, body["status"]) == (503, "unknown")
    check.gate.set()
    wait_for(lambda: get_health()[0] == 200)


def test_old_result_is_served_as_long_as_a_new_one_if_nobody_has_asked(
    declare: Declare, own_threads: ThreadNames
) -> None:
    """``stale_for`` begins when the next run is requested: that nobody asked is not a fault of the service."""
    check = GatedCheck()
    declare({"slow": Service(check, ttl=300, stale_for=300, timeout=90)}, DEADLINE=0.1)
    wait_for(lambda: get_health()[0] == 200)
    wait_for(lambda: not own_threads())
    slot = get_state().runner._slots["slow",]
    assert slot.outcome is not None
    # An hour passes.
    slot.outcome = dataclasses.replace(
        slot.outcome,
        started=slot.outcome.started - 3600,
        finished=slot.outcome.finished - 3600,
        fresh_until=slot.outcome.fresh_until - 3600,
    )
    get_state().response_cache.clear()
    check.gate.clear()
    status, body = get_health()
    assert (status, check.runs) == (200, 2)
    assert body["slow"]["age_seconds"] >= 3600
    assert slot.run is not None
    assert slot.run.max_wait == 0.1, "requests wait until DEADLINE"
    # The run is in flight for as long as a result may be stale.
    assert slot.requested is not None
    slot.requested -= 300
    get_state().response_cache.clear()
    assert get_health()[1]["slow"]["checks"][0]["code"] == "stale"
    check.gate.set()
    wait_for(lambda: get_health()[0] == 200)


def get_slow_run() -> Run:
    """Return the run in flight of the service ``slow``."""
    run = get_state().runner._slots["slow",].run
    assert run is not None
    return run


@pytest.fixture
def declare_slow(declare: Declare, own_threads: ThreadNames) -> DeclareSlow:
    """Declare a service whose last run took longer than DEADLINE, and return its check."""

    def declare_and_run(ttl: float = 0.0, stale_for: float = 300.0, **others: Service) -> GatedCheck:
        check = GatedCheck(is_open=False)
        declare({"slow": Service(check, ttl=ttl, stale_for=stale_for, timeout=90), **others}, DEADLINE=LONG_DEADLINE)
        with ThreadPoolExecutor(1) as pool:
            request = pool.submit(get_health)
            wait_for(lambda: check.runs == 1)
            # The run is not slow, but its recorded start is earlier, so that no test waits until DEADLINE.
            get_slow_run().started -= LONG_DEADLINE + 1
            check.gate.set()
            request.result()
        wait_for(lambda: not own_threads())
        assert check.ended == 1
        return check

    return declare_and_run


def test_request_waits_briefly_after_a_slow_run_and_reports_a_change_at_once(
    declare_slow: DeclareSlow, own_threads: ThreadNames
) -> None:
    """A hanging check costs one probe its deadline, and not one probe each time a run is due."""
    check = declare_slow()
    check.gate.clear()
    assert get_health()[0] == 200, "the last result"
    assert get_slow_run().max_wait == SLOW_RUN_WAIT
    wait_for(lambda: check.runs == 2)
    check.gate.set()
    wait_for(lambda: not own_threads())
    check.error = strange.UNAVAILABLE
    check.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(get_health, token="")
        wait_for(lambda: check.runs == 3)
        assert get_slow_run().max_wait == LONG_DEADLINE, "the last run was quick again"
        check.gate.set()
        assert request.result()[0] == 503, "the first request gets the result"


def test_request_waits_for_a_slow_run_if_there_is_no_result_to_serve(declare_slow: DeclareSlow) -> None:
    check = declare_slow(ttl=0.1, stale_for=0)
    time.sleep(0.2)
    check.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(get_health)
        wait_for(lambda: check.runs == 2)
        assert get_slow_run().max_wait == LONG_DEADLINE
        check.gate.set()
        request.result()


def test_fresh_request_waits_for_a_slow_run(declare_slow: DeclareSlow) -> None:
    check = declare_slow()
    check.gate.clear()
    check.error = strange.UNAVAILABLE
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(get_health, query="fresh=1")
        wait_for(lambda: check.runs == 2)
        assert get_slow_run().max_wait == LONG_DEADLINE
        check.gate.set()
        assert request.result()[1]["services"]["slow"] == "unhealthy"


def test_request_waits_briefly_for_a_slow_run_if_other_runs_are_due(declare_slow: DeclareSlow) -> None:
    check = declare_slow(quick=Service(GatedCheck(), ttl=0))
    check.gate.clear()
    get_health()
    assert get_slow_run().max_wait == SLOW_RUN_WAIT
    wait_for(lambda: check.runs == 2)
    check.gate.set()


def test_cached_response_is_sent_while_a_run_hangs(declare: Declare) -> None:
    """Probes are most frequent during an outage, so a response must cost least then."""
    request = Request("GET", "")

    def has_status(status: str) -> bool:
        return bool(json.loads(respond(request).body)["services"] == {"hangs": status, "fine": "healthy"})

    check = GatedCheck(is_open=False)
    for timeout, status in ((90, "unknown"), (0.3, "unhealthy")):
        declare({"hangs": Service(check, timeout=timeout), "fine": Service(strange.Fine, ttl=300)}, DEADLINE=0.1)
        wait_for(functools.partial(has_status, status))
        hanging = respond(request)
        assert respond(request) is respond(request) is hanging
    check.gate.set()
    wait_for(lambda: respond(request) is not hanging)


def test_cached_response_is_not_sent_after_the_latch_is_set(declare: Declare) -> None:
    """Another worker may be the first to find that the pod is ready."""
    check = GatedCheck()
    check.error = strange.UNAVAILABLE
    declare({"one": Service(check, ttl=300)})
    assert get_health("ready", token="")[0] == 503
    get_state().latch.set()
    assert get_health("ready", token="")[0] == 200


def test_ready_response_from_before_the_latch_is_not_cached(declare: Declare) -> None:
    check = GatedCheck(is_open=False)
    check.error = strange.UNAVAILABLE
    declare({"one": Service(check, ttl=300, timeout=60)}, DEADLINE=60)
    with ThreadPoolExecutor(1) as pool:
        early = pool.submit(get_health, "ready", token="")
        wait_for(lambda: check.runs == 1)
        get_state().latch.set()
        check.gate.set()
        assert early.result()[0] == 503
    assert get_health("ready", token="")[0] == 200


def test_failure_of_a_non_critical_service_counts_as_degraded(declare: Declare) -> None:
    declare({"cache": Service(strange.Raises(strange.UNAVAILABLE), critical=False), "fine": strange.Fine})
    status, body = get_health()
    assert (status, body["status"], body["services"]["cache"]) == (200, "degraded", "degraded")
    assert body["cache"]["checks"][0]["status"] == "unhealthy"


def test_unknown_non_critical_service_is_degraded_and_not_a_503(declare: Declare) -> None:
    check = GatedCheck(is_open=False)
    declare({"cache": Service(check, critical=False, timeout=90), "fine": Service(strange.Fine, ttl=300)}, DEADLINE=0.1)
    wait_for(lambda: get_health()[1]["services"]["fine"] == "healthy")
    status, body = get_health()
    check.gate.set()
    assert (status, body["status"], body["services"]["cache"]) == (200, "degraded", "unknown")
