"""Runs: one at a time for each service, on threads of their own, and never older than a request for fresh results."""

from __future__ import annotations

import asyncio
import os
import resource
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from health_check.base import HealthCheck

from healthguard import Service
from healthguard.checks import RequiredTables
from healthguard.http.handler import Request, respond, respond_async
from healthguard.probes import get_state
from tests.support import strange_checks as strange
from tests.support.fixture_types import Declare
from tests.support.runner_checks import GatedCheck, get_health, is_true_in_fork, wait_for, wait_for_first_run


def test_many_probes_at_once_run_each_check_once(declare: Declare) -> None:
    checks = [GatedCheck(is_open=False), GatedCheck(is_open=False)]
    declare({"one": Service(checks[0], ttl=300, timeout=60), "two": Service(checks[1], ttl=300, timeout=60)})
    with ThreadPoolExecutor(50) as pool:
        requests = [pool.submit(get_health, token="") for _ in range(200)]
        wait_for(lambda: [check.runs for check in checks] == [1, 1])
        for check in checks:
            check.gate.set()
        responses = [request.result() for request in requests]
    assert {status for status, _ in responses} == {200}
    assert [check.runs for check in checks] == [1, 1]


def test_a_result_is_fresh_for_ttl_and_then_checked_again(declare: Declare) -> None:
    check = GatedCheck()
    declare({"one": Service(check, ttl=300)})
    for _ in range(20):
        get_health(token="")
    assert check.runs == 1
    check = GatedCheck()
    declare({"one": Service(check, ttl=0.3)})
    get_health(token="")
    time.sleep(0.35)
    get_health(token="")
    assert check.runs == 2


def test_new_result_is_reported_as_soon_as_ttl_expires(declare: Declare) -> None:
    """The first request after ttl waits for the run that is due, and does not get the stale result."""
    check = GatedCheck()
    declare({"one": Service(check, ttl=0.2)})
    assert get_health()[0] == 200
    check.error = strange.UNAVAILABLE
    time.sleep(0.25)
    assert get_health(token="")[0] == 503
    check.error = None
    time.sleep(0.25)
    assert get_health(token="")[0] == 200


def test_fresh_request_runs_the_check_before_its_ttl_expires(declare: Declare) -> None:
    """A request with fresh=1 needs a token, because each one causes a run."""
    check = GatedCheck()
    declare({"one": Service(check, ttl=300)})
    get_health()
    get_health(query="fresh=1")
    assert check.runs == 2
    status, body = get_health(query="fresh=1", token="")
    assert (status, check.runs) == (401, 2)
    assert "DETAILS_TOKENS" in body["hint"]


def test_fresh_request_gets_the_result_of_a_run_that_began_after_it(declare: Declare) -> None:
    """A run in flight may have read its data before the caller's fix."""
    check = GatedCheck(is_open=False)
    check.error = strange.UNAVAILABLE
    declare({"one": Service(check, timeout=60)}, DEADLINE=60)
    with ThreadPoolExecutor(2) as pool:
        earlier = pool.submit(get_health)
        wait_for(lambda: check.runs == 1)
        check.error = None
        later = pool.submit(get_health, query="fresh=1")
        (slot,) = get_state().runner._slots.values()
        wait_for(lambda: slot.next is not None)
        check.gate.set()
        assert later.result()[0] == 200
        earlier.result()
    assert check.runs == 2


def test_a_fork_starts_with_a_state_of_its_own(declare: Declare) -> None:
    check = GatedCheck()
    declare({"one": check})
    get_health()
    # The child has none of the parent's threads: it must run the check itself, on a new one.
    assert is_true_in_fork(lambda: get_health(token="")[0] == 200 and check.runs == 2)


def test_async_request_does_not_block_the_event_loop(declare: Declare) -> None:
    check = GatedCheck(is_open=False)
    declare({"slow": Service(check, timeout=90)}, DEADLINE=60)

    async def main() -> int:
        response = asyncio.create_task(respond_async(Request("GET", "")))
        await wait_for_first_run(check)
        assert not response.done()
        # If the loop were blocked, this line would not be reached before the deadline.
        check.gate.set()
        return (await response).status

    assert asyncio.run(main()) == 200


def test_client_that_disconnects_does_not_affect_later_requests(declare: Declare) -> None:
    check = GatedCheck(is_open=False)
    declare({"slow": Service(check, ttl=300, timeout=90)}, DEADLINE=60)

    async def main() -> None:
        cancelled = asyncio.create_task(respond_async(Request("GET", "")))
        await wait_for_first_run(check)
        cancelled.cancel()

    asyncio.run(main())
    check.gate.set()
    assert get_health()[0] == 200
    assert check.runs == 1


def test_a_thousand_services_are_run_for_one_request(declare: Declare) -> None:
    declare({f"s{number}": Service(strange.Fine(), ttl=300, timeout=90) for number in range(1000)}, DEADLINE=90)
    status, body = get_health()
    assert (status, len(body["services"])) == (200, 1000)


def test_thread_that_cannot_be_started_is_reported(declare: Declare) -> None:
    def is_reported() -> bool:
        if os.geteuid() == 0:
            # Root has no limit.
            os.setuid(65534)
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
        declare({"one": strange.Fine()})
        status, body = get_health()
        return (status, body["one"]["checks"][0]["code"]) == (503, "no_thread")

    assert is_true_in_fork(is_reported)


class UsesExecutorWithoutThreads(HealthCheck):
    """A check that uses an executor while the process cannot start a thread."""

    has_no_threads = True

    async def run(self) -> None:
        limits = resource.getrlimit(resource.RLIMIT_NPROC)
        if self.has_no_threads:
            resource.setrlimit(resource.RLIMIT_NPROC, (1, limits[1]))
        try:
            await asyncio.to_thread(time.sleep, 0)
        finally:
            resource.setrlimit(resource.RLIMIT_NPROC, limits)


def test_service_is_run_again_after_its_executor_could_not_start_a_thread(declare: Declare) -> None:
    def is_run_again() -> bool:
        if os.geteuid() == 0:
            os.setuid(65534)
        declare({"one": Service(UsesExecutorWithoutThreads, ttl=0)})
        first = get_health()
        UsesExecutorWithoutThreads.has_no_threads = False
        return (first[0], first[1]["one"]["checks"][0]["code"], get_health()[0]) == (503, "exception", 200)

    assert is_true_in_fork(is_run_again)


def test_state_is_created_again_when_a_setting_changes(declare: Declare) -> None:
    declare({"one": strange.Fine})
    first = get_state()
    assert get_state() is first
    declare({"two": strange.Fine})
    assert get_state() is not first
    assert list(get_health()[1]["services"]) == ["two"]


def test_inline_checks_run_for_a_synchronous_client_in_an_asynchronous_test(healthguard_settings: Declare) -> None:
    healthguard_settings({"one": strange.SleepsAsync(0.01), "two": strange.Fine}, INLINE=True)

    async def test() -> int:
        return respond(Request("GET", "")).status

    assert asyncio.run(test()) == 200


def test_inline_checks_run_on_the_callers_thread(healthguard_settings: Declare) -> None:
    healthguard_settings({"one": strange.LeavesAThread}, INLINE=True)
    assert respond(Request("GET", "")).status == 200
    assert strange.LeavesAThread.thread == threading.current_thread().name


@pytest.mark.django_db
def test_inline_checks_see_the_tests_transaction_and_leave_it_usable(healthguard_settings: Declare) -> None:
    from example_project.vending.models import Customer

    seen: list[int] = []

    class CountsCustomersAndFails(HealthCheck):
        def run(self) -> None:
            seen.append(Customer.objects.count())
            connections["default"].cursor().execute("SELECT no_such_column")

    Customer.objects.create(name="in this transaction")
    healthguard_settings(
        {"one": CountsCustomersAndFails(), "two": RequiredTables(["customers", "nowhere"])}, INLINE=True
    )
    assert respond(Request("GET", "")).status == 503
    assert seen == [1]
    assert Customer.objects.count() == 1, "the failing query has not broken the transaction"


@pytest.mark.django_db
def test_inline_checks_run_again_for_each_probe(healthguard_settings: Declare) -> None:
    check = GatedCheck()
    healthguard_settings({"one": check}, INLINE=True)
    assert [respond(Request("GET", "")).status for _ in range(2)] == [200, 200]
    check.error = strange.UNAVAILABLE
    assert respond(Request("GET", "ready")).status == 503
    assert check.runs == 3
