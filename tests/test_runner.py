"""Runs are few, bounded, isolated and fresh, whatever the checks do."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import resource
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import override_settings
from django.utils.translation import gettext_lazy
from health_check.base import HealthCheck

from healthguard import Degraded, Service
from healthguard.checks import RequiredTables
from healthguard.probes import Probe, Question, guard
from healthguard.respond import Request, respond, respond_async
from healthguard.runner import IMPATIENCE, Run
from healthguard.status import Fault, Status
from tests import strange_checks as strange
from tests.links import Link


@pytest.fixture
def declare(healthguard_settings):
    """Declare services that run on threads, as in production, with details for everybody."""

    def declare(services, **keys):
        # On a busy machine, a check that returns at once takes a while: only where a deadline matters is it short.
        healthguard_settings(services, **{"DETAILS_TOKENS": ["details-" * 4], "DEADLINE": 30, **keys})

    return declare


def ask(path="", query="", token="details-" * 4):
    answer = respond(Request("GET", path, query, f"Bearer {token}" if token else ""))
    return answer.status, json.loads(answer.body)


@pytest.fixture
def own_threads():
    """Return the threads of healthguard that this test has started and that have not ended."""
    before = set(threading.enumerate())

    def own_threads() -> list[str]:
        return [
            thread.name
            for thread in threading.enumerate()
            if thread.name.startswith("healthguard") and thread.name != "healthguard-log" and thread not in before
        ]

    return own_threads


def wait_for(condition, seconds=60.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


async def begun(check: Counts) -> None:
    """Wait, without blocking the loop, until the first run has begun."""
    while check.runs == 0:  # noqa: ASYNC110 (the run is on another thread)
        await asyncio.sleep(0.01)


def in_child(succeeds) -> bool:
    """Whether ``succeeds()`` is true in a fork of this process."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if succeeds() else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


class Counts(HealthCheck):
    """Counts its runs. Where the gate is closed, a run waits, with what it has found, until it is opened."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.runs = 0
        self.ended = 0
        self.error: BaseException | None = None
        self.seconds = 0.0
        """How long a run takes at least."""
        self.gate = threading.Event()
        if is_open:
            self.gate.set()

    def run(self) -> None:
        self.runs += 1
        error = self.error
        assert self.gate.wait(100)
        time.sleep(self.seconds)
        self.ended += 1
        if error is not None:
            raise error


def test_many_probes_at_once_run_each_check_once(declare) -> None:
    checks = [Counts(is_open=False), Counts(is_open=False)]
    declare({"one": Service(checks[0], ttl=300, timeout=60), "two": Service(checks[1], ttl=300, timeout=60)})
    with ThreadPoolExecutor(50) as pool:
        asked = [pool.submit(ask, token="") for _ in range(200)]
        wait_for(lambda: [check.runs for check in checks] == [1, 1])
        for check in checks:
            check.gate.set()
        answers = [answer.result() for answer in asked]
    assert {status for status, _ in answers} == {200}
    assert [check.runs for check in checks] == [1, 1]


def test_a_result_is_fresh_for_ttl_and_then_checked_again(declare) -> None:
    check = Counts()
    declare({"one": Service(check, ttl=300)})
    for _ in range(20):
        ask(token="")
    assert check.runs == 1
    check = Counts()
    declare({"one": Service(check, ttl=0.3)})
    ask(token="")
    time.sleep(0.35)
    ask(token="")
    assert check.runs == 2


def test_after_ttl_the_new_truth_is_told_at_once(declare) -> None:
    """Not the stale one: whoever asks waits for the run that is due."""
    check = Counts()
    declare({"one": Service(check, ttl=0.2)})
    assert ask()[0] == 200
    check.error = strange.UNAVAILABLE
    time.sleep(0.25)
    assert ask(token="")[0] == 503
    check.error = None
    time.sleep(0.25)
    assert ask(token="")[0] == 200


def test_fresh_runs_again_now(declare) -> None:
    check = Counts()
    declare({"one": Service(check, ttl=300)})
    ask()
    ask(query="fresh=1")
    assert check.runs == 2
    status, body = ask(query="fresh=1", token="")
    assert (status, check.runs) == (401, 2)
    assert "DETAILS_TOKENS" in body["hint"]


def test_fresh_is_newer_than_the_question(declare) -> None:
    """A run that is under way may have looked before the caller's repair."""
    check = Counts(is_open=False)
    check.error = strange.UNAVAILABLE
    declare({"one": Service(check, timeout=60)}, DEADLINE=60)
    with ThreadPoolExecutor(2) as pool:
        earlier = pool.submit(ask)
        wait_for(lambda: check.runs == 1)
        check.error = None
        later = pool.submit(ask, query="fresh=1")
        (slot,) = guard().runner._slots.values()
        wait_for(lambda: slot.next is not None)
        check.gate.set()
        assert later.result()[0] == 200
        earlier.result()
    assert check.runs == 2


def test_a_hanging_check_costs_only_the_first_probe_its_deadline(declare) -> None:
    hangs = Counts(is_open=False)
    declare({"hangs": Service(hangs, timeout=90), "fine": Service(strange.Fine, ttl=300)}, DEADLINE=1.5)
    started = time.monotonic()
    status, body = ask()
    assert 1.4 < time.monotonic() - started < 45
    assert (status, body["services"]) == (503, {"hangs": "unknown", "fine": "healthy"})
    assert body["hangs"]["checks"][0]["code"] == "pending"
    started = time.monotonic()
    for _ in range(50):
        ask()
    assert time.monotonic() - started < 40, "if each waited, it would be 75 s"
    hangs.gate.set()


def test_a_check_beyond_its_timeout_is_unhealthy_and_holds_one_thread(declare, own_threads) -> None:
    hangs = Counts(is_open=False)
    declare({"hangs": Service(hangs, timeout=0.5, ttl=300), "fine": strange.Fine}, DEADLINE=0.1)
    wait_for(lambda: ask()[1]["services"] == {"hangs": "unhealthy", "fine": "healthy"})
    told = ask()[1]["hangs"]["checks"][0]
    assert (told["code"], told["fault"]) == ("timeout", "outage")
    assert own_threads().count("healthguard-hangs") == hangs.runs == 1
    hangs.gate.set()
    wait_for(lambda: "healthguard-hangs" not in own_threads())
    assert hangs.ended == 1
    assert ask()[1]["services"]["hangs"] == "unhealthy", "what came too late is not healthy"


@pytest.mark.parametrize(
    "check",
    [
        strange.BlocksItsLoop,
        strange.IgnoresCancellation,
        strange.HangsInSyncToAsync,
        strange.HangsInTheDefaultExecutor,
        strange.SleepsAsync(strange.HANG),
    ],
)
def test_an_async_check_that_hangs(declare, check) -> None:
    declare({"hangs": Service(check, timeout=0.3), "fine": strange.Fine}, DEADLINE=0.5)
    wait_for(lambda: ask()[1]["services"] == {"hangs": "unhealthy", "fine": "healthy"}, strange.HANG / 2)
    status, body = ask()
    assert (status, body["hangs"]["checks"][0]["code"]) == (503, "timeout")


def test_an_async_check_that_can_be_cancelled_gives_its_thread_back(declare, own_threads) -> None:
    declare({"hangs": Service(strange.SleepsAsync(200), timeout=0.2)})
    ask()
    wait_for(lambda: not own_threads())


@pytest.mark.parametrize("check", [strange.HangsInSyncToAsync, strange.HangsInTheDefaultExecutor])
def test_what_hangs_in_an_executor_is_not_started_again_beside_itself(declare, own_threads, check) -> None:
    declare({"hangs": Service(check, timeout=0.2, ttl=0)}, DEADLINE=0.1)
    for _ in range(10):
        ask()
        time.sleep(0.1)
    assert len(own_threads()) <= 2, "its run, and the one call that hangs"
    assert ask()[1]["hangs"]["checks"][0]["code"] == "timeout"


class Tells(HealthCheck):
    def __init__(self, evidence) -> None:
        self.evidence = evidence

    def run(self):
        return self.evidence


class Untold:
    def __str__(self) -> str:
        raise RuntimeError(strange.SECRET)

    __repr__ = __str__


@pytest.mark.parametrize("evidence", [{("a", "b"): 1}, {"a": Untold()}, {"a": float("nan")}, {"a": {1, 2}}])
def test_evidence_that_cannot_be_written_costs_nobody_the_answer(declare, evidence) -> None:
    declare(
        {
            "odd": Tells(evidence),
            "told": strange.Raises(Degraded("x", "y", fault="config", hint="z", evidence=evidence)),
        }
    )
    status, body = ask()
    assert (status, body["services"]) == (200, {"odd": "healthy", "told": "degraded"})
    for name in ("odd", "told"):
        assert "not plain JSON" in body[name]["checks"][0]["evidence"]["evidence"]


def test_evidence_of_a_healthy_check_is_told(declare) -> None:
    declare({"one": Tells({"version": 7})})
    assert ask()[1]["one"]["checks"] == [{"check": "Tells", "status": "healthy", "evidence": {"version": 7}}]


def test_texts_may_be_lazy_translations(declare) -> None:
    declare({"one": strange.Raises(Degraded("x", gettext_lazy("y"), fault=Fault.CONFIG, hint=gettext_lazy("z")))})
    assert ask()[1]["one"]["checks"][0]["message"] == "y"


@pytest.mark.parametrize("key", ["", "short"])
def test_a_strangers_warning_with_an_empty_secret_key_is_still_a_warning(declare, key) -> None:
    declare({"load": strange.Raises(strange.WARNING)})
    with override_settings(SECRET_KEY=key):
        assert ask()[1]["load"]["checks"][0]["code"] == "warning"


def test_a_held_answer_does_not_outlast_the_latch(declare) -> None:
    """Another worker may be the first to see that the pod is ready."""
    check = Counts()
    check.error = strange.UNAVAILABLE
    declare({"one": Service(check, ttl=300)})
    assert ask("ready", token="")[0] == 503
    guard().latch.set()
    assert ask("ready", token="")[0] == 200


def test_an_answer_by_the_rules_of_the_startup_is_not_held_if_the_latch_is_set_meanwhile(declare) -> None:
    check = Counts(is_open=False)
    check.error = strange.UNAVAILABLE
    declare({"one": Service(check, ttl=300, timeout=60)}, DEADLINE=60)
    with ThreadPoolExecutor(1) as pool:
        early = pool.submit(ask, "ready", token="")
        wait_for(lambda: check.runs == 1)
        guard().latch.set()
        check.gate.set()
        assert early.result()[0] == 503
    assert ask("ready", token="")[0] == 200


def test_a_run_that_hangs_is_not_started_again_beside_itself(declare) -> None:
    check = Counts(is_open=False)
    declare({"hangs": Service(check, timeout=0.1, ttl=0)}, DEADLINE=0.1)
    for _ in range(10):
        ask()
        time.sleep(0.05)
    assert check.runs == 1
    check.gate.set()


def test_while_a_run_is_under_way_the_old_result_is_served(declare) -> None:
    check = Counts()
    declare({"slow": Service(check, ttl=0.1, stale_for=300, timeout=90)}, DEADLINE=0.1)
    wait_for(lambda: ask()[0] == 200)
    check.gate.clear()
    time.sleep(0.15)
    for _ in range(3):
        status, body = ask()
        assert (status, body["status"], check.runs - check.ended) == (200, "healthy", 1)
    check.gate.set()


def test_the_old_result_is_served_no_longer_than_stale_for(declare) -> None:
    check = Counts()
    declare({"slow": Service(check, ttl=0.1, stale_for=0.5, timeout=90)}, DEADLINE=0.1)
    wait_for(lambda: ask()[0] == 200)
    check.gate.clear()
    wait_for(lambda: ask()[1]["slow"]["checks"][0].get("code") == "stale")
    status, body = ask()
    assert (status, body["status"]) == (503, "unknown")
    check.gate.set()
    wait_for(lambda: ask()[0] == 200)


@pytest.fixture
def slow(declare, own_threads):
    """A check whose last run took longer than DEADLINE, which is 3 s: ``slow(ttl=0, **others)``."""

    def slow(ttl: float = 0.0, stale_for: float = 300.0, **others) -> Counts:
        check = Counts(is_open=False)
        declare({"slow": Service(check, ttl=ttl, stale_for=stale_for, timeout=90), **others}, DEADLINE=3)
        assert ask()[1]["services"]["slow"] == "unknown"
        check.gate.set()
        wait_for(lambda: not own_threads())
        assert check.ended == 1
        return check

    return slow


def test_what_was_slow_the_last_time_is_hardly_waited_for_and_mended_told_at_once(slow, monkeypatch) -> None:
    """What hangs costs one probe its deadline, and not one each time it is due."""
    # Between nothing and DEADLINE: on a busy machine a run that returns at once takes a while.
    monkeypatch.setattr("healthguard.runner.IMPATIENCE", 1.0)
    check = slow()
    check.gate.clear()
    started = time.monotonic()
    assert ask()[0] == 200, "the last result"
    assert time.monotonic() - started < 2.5
    assert check.runs == 2
    check.error = strange.UNAVAILABLE
    check.gate.set()
    wait_for(lambda: check.ended == 2)
    assert ask(token="")[0] == 503, "it does not take long any more, and so is told by the first who asks"


def test_what_was_slow_is_waited_for_where_there_is_nothing_to_serve_meanwhile(slow) -> None:
    check = slow(ttl=0.1, stale_for=0)
    time.sleep(0.2)
    check.seconds = IMPATIENCE + 0.1
    assert ask()[0] == 200


def test_fresh_waits_for_what_was_slow_too(slow) -> None:
    check = slow()
    check.seconds, check.error = IMPATIENCE + 0.1, strange.UNAVAILABLE
    assert ask(query="fresh=1")[0] == 503


def test_what_was_slow_is_hardly_waited_for_beside_others_that_are_due(slow) -> None:
    check = slow(quick=Service(Counts(), ttl=0))
    check.gate.clear()
    started = time.monotonic()
    ask()
    assert time.monotonic() - started < 2
    assert check.runs == 2
    check.gate.set()


def test_while_a_run_hangs_the_same_bytes_are_sent_without_looking_again(declare) -> None:
    """A health check is asked most when everything is on fire: then it must cost least."""
    request = Request("GET", "")

    def told() -> dict[str, str]:
        return json.loads(respond(request).body)["services"]

    check = Counts(is_open=False)
    for timeout, status in ((90, "unknown"), (0.3, "unhealthy")):
        declare({"hangs": Service(check, timeout=timeout), "fine": Service(strange.Fine, ttl=300)}, DEADLINE=0.1)
        wait_for(lambda status=status: told() == {"hangs": status, "fine": "healthy"})
        hanging = respond(request)
        assert respond(request) is respond(request) is hanging
    check.gate.set()
    wait_for(lambda: respond(request) is not hanging)


class Gives(HealthCheck):
    """Gives up in time, but what it has started in an executor does not: as with the look-up of a name."""

    def __init__(self) -> None:
        self.released = threading.Event()

    async def run(self) -> None:
        try:
            async with asyncio.timeout(0.1):
                await asyncio.to_thread(self.released.wait, 100)
        except TimeoutError:
            pass
        raise Degraded("gave_up", "x", fault=Fault.OUTAGE, hint="y")


def test_what_is_left_hanging_in_an_executor_does_not_delay_the_result(declare, own_threads) -> None:
    gives = Gives()
    declare({"gives": Service(gives, timeout=2, ttl=0.1, stale_for=300)})
    started = time.monotonic()
    while time.monotonic() - started < 2.5:
        status, body = ask()
        assert (status, body["services"]["gives"]) == (200, "degraded"), "also past its timeout: it has told its result"
        time.sleep(0.1)
    assert len(own_threads()) <= 2, "its run, and the one call that hangs"
    gives.released.set()


class Asks(HealthCheck):
    """A check that sets its queries no limit."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def run(self) -> None:
        with connections[self.alias].cursor() as cursor:
            cursor.execute("SELECT 1")


def test_a_connection_that_has_fallen_silent_is_not_waited_for_for_ever(declare, connect, postgres, database) -> None:
    link = Link(postgres.url_of(database))
    alias = connect(link.url)
    declare({"asks": Service(Asks(alias), timeout=1, ttl=0.1)})
    wait_for(lambda: ask()[0] == 200)
    link.silence_after_login()
    wait_for(lambda: ask()[0] == 503)
    link.up()
    wait_for(lambda: ask()[0] == 200)
    link.down()


def test_a_connection_that_was_given_up_is_closed_at_once(declare, connect) -> None:
    """And not when the garbage is collected, for which psycopg leaves it: they would grow."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        alias = connect(f"postgres://app@127.0.0.1:{port}/x", OPTIONS={"sslmode": "disable"})
        declare({"asks": Service(Asks(alias), timeout=3), "ours": Service(RequiredTables(["t"], alias), timeout=3)})
        gc.disable()
        try:
            ask()
            wait_for(lambda: "database_timeout" in json.dumps(ask()[1]["ours"]))
            wait_for(lambda: "database_timeout" in json.dumps(ask()[1]["asks"]))
            for _ in range(2):
                connection, _ = silent.accept()
                with connection:
                    connection.settimeout(60)
                    while connection.recv(1024):
                        pass
        finally:
            gc.enable()


class AsksAsync(HealthCheck):
    """The same from an executor, which goes on waiting when the check itself has given up."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    async def run(self) -> None:
        await sync_to_async(Asks(self.alias).run)()


class AsksLate(Asks):
    """Connects when its run has already been cut."""

    seconds = 0.6

    def run(self) -> None:
        time.sleep(self.seconds)
        super().run()


@pytest.mark.parametrize("check", [AsksAsync, AsksLate])
def test_nor_from_an_executor_nor_if_it_is_opened_late(declare, connect, postgres, database, check) -> None:
    link = Link(postgres.url_of(database))
    asks = check(connect(link.url))
    declare({"asks": Service(asks, timeout=0.3, ttl=0.1)}, DEADLINE=0.5)
    if check is AsksAsync:
        wait_for(lambda: ask()[0] == 200)
    link.silence_after_login()
    before = link.accepted
    wait_for(lambda: ask()[1]["asks"]["checks"][0].get("code") == "timeout")
    wait_for(lambda: link.accepted > before)
    link.up()
    asks.seconds = 0.0
    wait_for(lambda: ask()[0] == 200)
    link.down()


def test_a_queued_run_behind_one_that_is_cut_is_cut_too(declare, connect, postgres, database) -> None:
    link = Link(postgres.url_of(database))
    declare({"asks": Service(Asks(connect(link.url)), timeout=0.3, ttl=0.1)}, DEADLINE=0.1)
    link.silence_after_login()
    while link.accepted < 4:
        ask(query="fresh=1")
    link.up()
    wait_for(lambda: ask()[0] == 200)
    link.down()


def test_what_stalls_for_long_leaves_few_connections_behind(declare) -> None:
    """To hang up may leave one behind on the server each time: so it is done ever more rarely."""
    declare({"asks": Service(strange.Fine, timeout=5)})
    (service,) = guard().tree.services()
    runs = [Run(service, cuts=cuts) for cuts in range(8)]
    patience = [round(run.cut_from - run.started) for run in runs]
    assert patience == [5, 5, 5, 10, 20, 40, 60, 60], "what passes soon is seen at once, and anything within a minute"


def test_a_query_that_waits_for_a_lock_is_cancelled_on_the_server(declare, connect, postgres, database) -> None:
    alias = connect(postgres.url_of(database))
    postgres.execute("CREATE TABLE locked (x integer)", database)

    class Reads(HealthCheck):
        runs = 0

        def run(self) -> None:
            self.runs += 1
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT * FROM locked")

    reads = Reads()
    declare({"reads": Service(reads, timeout=0.2, ttl=0)}, DEADLINE=0.1)
    with psycopg.connect(postgres.url_of(database)) as other:
        other.execute("LOCK TABLE locked")
        wait_for(lambda: ask(token="")[0] == 503 and reads.runs >= 4)
        ((waiting,),) = postgres.execute("SELECT count(*) FROM pg_locks WHERE NOT granted", database)
        assert waiting <= 1
        wait_for(lambda: ask()[1]["reads"]["checks"][0]["code"] == "timeout")
    wait_for(lambda: ask()[0] == 200)


@pytest.mark.parametrize("error", strange.EXCEPTIONS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("make", [strange.Raises, strange.RaisesAsync])
def test_whatever_a_check_raises_is_its_services_problem_alone(declare, caplog, capfd, error, make) -> None:
    declare({"bad": make(error), "fine": strange.Fine})
    with caplog.at_level(logging.DEBUG):
        status, body = ask()
        wait_for(lambda: "bad: unknown -> unhealthy" in caplog.text)
    assert (status, body["services"]) == (503, {"bad": "unhealthy", "fine": "healthy"})
    (told,) = body["bad"]["checks"]
    assert told["code"] == "exception"
    assert told["evidence"]["at"]
    # What is logged when something is no longer needed, too: asyncio does so of a task whose exception nobody took.
    gc.collect()
    assert strange.SECRET not in json.dumps(body) + caplog.text + "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("check", "code"),
    [
        (strange.RaisesInConstructor, "exception"),
        ("tests.strange_checks.RaisesInConstructor", "exception"),
        (strange.Recurses, "exception"),
        (strange.RaisesUntellable, "exception"),
        (strange.ReturnsFalse, "returned_false"),
        (strange.ReturnsACoroutine, "unavailable"),
        (strange.IsAGenerator, "generator"),
        ("no.such.Check", "misdeclared"),
        (("tests.strange_checks.Sleeps", {"no_such_option": 1}), "misdeclared"),
        (int, "misdeclared"),
        (object(), "misdeclared"),
    ],
)
def test_what_cannot_be_green_is_not(declare, check, code) -> None:
    declare({"bad": check, "fine": strange.Fine})
    status, body = ask()
    assert status == 503
    assert (body["services"]["bad"], body["services"]["fine"]) == ("unhealthy", "healthy")
    assert body["bad"]["checks"][0]["code"] == code
    assert strange.SECRET not in json.dumps(body)


@pytest.mark.parametrize("check", [strange.RaisesInRepr, strange.RaisesInRepr(), strange.ReturnsTrue])
def test_a_strange_check_that_passes_is_green(declare, check) -> None:
    declare({"odd": check})
    assert ask()[0] == 200


def test_two_checks_of_one_class_are_two_entries(declare) -> None:
    declare({"both": [strange.Fine(), strange.Fine()]})
    assert len(ask()[1]["both"]["checks"]) == 2


def test_a_warning_is_degraded(declare) -> None:
    declare({"load": strange.Raises(strange.WARNING)})
    status, body = ask()
    assert (status, body["status"], body["load"]["checks"][0]["code"]) == (200, "degraded", "warning")


def test_a_strangers_message_is_shown_without_secrets(declare) -> None:
    declare({"bad": strange.Raises(strange.UNAVAILABLE), "odd": strange.Raises(strange.UNEXPECTED)})
    _, body = ask()
    (told,) = body["bad"]["checks"]
    assert (told["code"], told["fault"]) == ("unavailable", "outage")
    assert told["message"] == "no way to postgres://********@db/x"
    assert body["odd"]["checks"][0]["code"] == "unexpected_result"


def test_after_an_outage_the_rest_of_the_service_is_not_run(declare) -> None:
    rest = Counts()
    declare({"both": [strange.Raises(strange.UNAVAILABLE), rest], "other": strange.Fine})
    _, body = ask()
    assert [check["code"] for check in body["both"]["checks"]] == ["unavailable", "not_run"]
    assert body["both"]["status"] == "unhealthy"
    assert rest.runs == 0


def test_a_degraded_outage_does_not_hide_the_rest(declare) -> None:
    """One provider's trouble must not leave another's key unknown, which would be a 503."""
    rest = Counts()
    declare({"both": [strange.Raises(strange.WARNING), rest]})
    assert ask()[1]["status"] == "degraded"
    assert rest.runs == 1


def test_what_is_not_critical_counts_as_degraded(declare) -> None:
    declare({"cache": Service(strange.Raises(strange.UNAVAILABLE), critical=False), "fine": strange.Fine})
    status, body = ask()
    assert (status, body["status"], body["services"]["cache"]) == (200, "degraded", "degraded")
    assert body["cache"]["checks"][0]["status"] == "unhealthy"


def test_what_is_not_critical_and_not_known_is_not_green_and_no_503(declare) -> None:
    check = Counts(is_open=False)
    declare({"cache": Service(check, critical=False, timeout=90), "fine": Service(strange.Fine, ttl=300)}, DEADLINE=0.1)
    wait_for(lambda: ask()[1]["services"]["fine"] == "healthy")
    status, body = ask()
    check.gate.set()
    assert (status, body["status"], body["services"]["cache"]) == (200, "degraded", "unknown")


def test_every_change_is_logged_once_with_its_reason(declare, caplog) -> None:
    check = Counts()
    declare({"logged": Service(check, ttl=0)})
    with caplog.at_level(logging.INFO, "healthguard"):
        for error in (None, strange.UNAVAILABLE, strange.UNEXPECTED, None):
            check.error = error
            for _ in range(3):
                ask(token="")
        wait_for(lambda: "logged: unhealthy -> healthy" in caplog.text)
    # What a test before this one has left under way may be logged meanwhile.
    lines = [(record.levelname, record.getMessage()) for record in caplog.records if "logged: " in record.getMessage()]
    assert [level for level, _ in lines] == ["INFO", "ERROR", "ERROR", "INFO"]
    assert "logged: healthy -> unhealthy: no way to postgres://" in lines[1][1]
    assert "[unavailable, outage]" in lines[1][1]


def test_a_timeout_is_logged_while_it_hangs(declare, caplog) -> None:
    check = Counts(is_open=False)
    declare({"hangs": Service(check, timeout=0.1)})
    with caplog.at_level(logging.INFO, "healthguard"):
        wait_for(lambda: ask()[0] == 503 and "hangs: unknown -> unhealthy" in caplog.text)
    assert check.ended == 0
    check.gate.set()


def test_checks_run_on_threads_and_connections_of_their_own(declare, connect, postgres, database) -> None:
    """Bounded, closed at the end, and never from the application's pool."""
    alias = connect(postgres.url_of(database), OPTIONS={"pool": {"min_size": 1, "max_size": 1, "timeout": 30}})
    seen = {}

    class Looks(HealthCheck):
        def run(self) -> None:
            connection = connections[alias]
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                seen["pid"] = cursor.fetchone()[0]
            seen["thread"] = threading.current_thread().name
            seen["pool"] = connection.pool
            seen["options"] = connection.get_connection_params()

    application = connections[alias]
    application.ensure_connection()
    application_pid = application.connection.info.backend_pid
    declare({"database": [Looks(), ("health_check.checks.Database", {"alias": alias})]})
    try:
        status, body = ask()
        assert status == 200, body
        assert seen["thread"] == "healthguard-database"
        assert seen["pid"] != application_pid
        assert seen["pool"] is None
        assert seen["options"]["connect_timeout"] >= 2
        wait_for(lambda: postgres.execute(f"SELECT 1 FROM pg_stat_activity WHERE pid = {seen['pid']}") == [])
        assert "pool" in application.settings_dict["OPTIONS"], "the application's settings are not touched"
    finally:
        application.close()
        application.close_pool()


def test_many_probes_leave_no_connection_open(declare, connect, postgres, database) -> None:
    alias = connect(postgres.url_of(database))
    declare(
        {
            "database": Service(RequiredTables(["pg_class"], alias), ttl=0),
            "b": ("health_check.checks.Database", {"alias": alias}),
        }
    )
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: ask(), range(60)))
    assert {status for status, _ in answers} == {200}
    count = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'"
    wait_for(lambda: postgres.execute(count) == [(0,)])


def test_sqlite_is_not_created_by_asking(declare, connect, tmp_path) -> None:
    alias = connect(f"sqlite:///{tmp_path / 'missing.sqlite3'}")
    declare({"database": RequiredTables(["t"], alias)})
    _, body = ask()
    assert body["database"]["checks"][0]["code"] == "database_missing"
    assert list(tmp_path.iterdir()) == []


def test_sync_code_inside_an_async_check_has_bounded_connections_too(declare, connect, postgres, database) -> None:
    alias = connect(postgres.url_of(database))
    seen = []

    class Looks(HealthCheck):
        async def run(self) -> None:
            def query() -> None:
                with connections[alias].cursor() as cursor:
                    cursor.execute("SELECT 1")
                seen.append((threading.current_thread(), connections[alias].get_connection_params()))

            await sync_to_async(query)()
            await sync_to_async(query)()

    declare({"database": Looks()})
    assert ask()[0] == 200
    assert seen[0][0] is seen[1][0]
    assert seen[0][0].daemon
    assert "connect_timeout" in seen[0][1]


def test_a_fork_starts_with_a_state_of_its_own(declare) -> None:
    check = Counts()
    declare({"one": check})
    ask()
    # The child has none of the parent's threads: it must run the check itself, on a new one.
    assert in_child(lambda: ask(token="")[0] == 200 and check.runs == 2)


def test_asking_from_an_event_loop_does_not_block_it(declare) -> None:
    check = Counts(is_open=False)
    declare({"slow": Service(check, timeout=90)}, DEADLINE=60)

    async def main() -> int:
        answer = asyncio.create_task(respond_async(Request("GET", "")))
        await begun(check)
        assert not answer.done()
        # If the loop were blocked, nobody would get to this before the deadline.
        check.gate.set()
        return (await answer).status

    assert asyncio.run(main()) == 200


def test_a_client_that_hangs_up_harms_nobody(declare) -> None:
    check = Counts(is_open=False)
    declare({"slow": Service(check, timeout=90)}, DEADLINE=60)

    async def main() -> None:
        leaving = asyncio.create_task(respond_async(Request("GET", "")))
        await begun(check)
        leaving.cancel()

    asyncio.run(main())
    check.gate.set()
    assert ask()[0] == 200


def test_a_thousand_services(declare) -> None:
    declare({f"s{number}": Service(strange.Fine(), ttl=300, timeout=90) for number in range(1000)}, DEADLINE=90)
    status, body = ask()
    assert (status, len(body["services"])) == (200, 1000)


def test_when_no_thread_can_be_started_it_is_said(declare) -> None:
    def starved() -> bool:
        if os.geteuid() == 0:
            # Root has no limit.
            os.setuid(65534)
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
        declare({"one": strange.Fine()})
        status, body = ask()
        return (status, body["one"]["checks"][0]["code"]) == (503, "no_thread")

    assert in_child(starved)


class StarvesItself(HealthCheck):
    """Uses an executor just when the process can start no thread."""

    starves = True

    async def run(self) -> None:
        limits = resource.getrlimit(resource.RLIMIT_NPROC)
        if self.starves:
            resource.setrlimit(resource.RLIMIT_NPROC, (1, limits[1]))
        try:
            await asyncio.to_thread(time.sleep, 0)
        finally:
            resource.setrlimit(resource.RLIMIT_NPROC, limits)


def test_when_an_executor_finds_no_thread_the_service_is_run_again(declare) -> None:
    def starved() -> bool:
        if os.geteuid() == 0:
            os.setuid(65534)
        declare({"one": Service(StarvesItself, ttl=0)})
        first = ask()
        StarvesItself.starves = False
        return (first[0], first[1]["one"]["checks"][0]["code"], ask()[0]) == (503, "exception", 200)

    assert in_child(starved)


def test_when_the_log_cannot_be_written_the_service_is_run_again(declare, capfd) -> None:
    class Broken(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise RuntimeError(strange.SECRET)

    check = Counts()
    declare({"one": Service(check, ttl=0)})
    broken = Broken()
    logging.getLogger("healthguard").addFilter(broken)
    try:
        check.error = strange.UNAVAILABLE
        assert ask(query="fresh=1")[0] == 503
        check.error = None
        assert ask(query="fresh=1")[0] == 200
    finally:
        logging.getLogger("healthguard").removeFilter(broken)
    assert strange.SECRET not in "".join(capfd.readouterr())


def test_what_is_left_hanging_for_too_long_is_told_and_logged(declare, caplog) -> None:
    gives = Gives()
    declare({"gives": Service(gives, timeout=5, ttl=0.1, stale_for=1)})
    with caplog.at_level(logging.INFO, "healthguard"):
        wait_for(lambda: ask()[1]["gives"]["status"] == "degraded")
        wait_for(lambda: ask()[0] == 503)
        assert ask()[1]["gives"]["checks"][0]["code"] == "left_hanging"
        gives.released.set()
        wait_for(lambda: ask()[1]["gives"]["status"] == "degraded")
        wait_for(lambda: "gives: degraded -> unknown" in caplog.text)


def test_inline_with_a_synchronous_client_in_an_asynchronous_test(healthguard_settings) -> None:
    healthguard_settings({"one": strange.SleepsAsync(0.01), "two": strange.Fine}, INLINE=True)

    async def test() -> int:
        return respond(Request("GET", "")).status

    assert asyncio.run(test()) == 200


def test_inline_checks_run_on_the_callers_thread(healthguard_settings) -> None:
    healthguard_settings({"one": strange.LeavesAThread}, INLINE=True)
    assert respond(Request("GET", "")).status == 200
    assert strange.LeavesAThread.thread == threading.current_thread().name


@pytest.mark.django_db
def test_inline_checks_see_the_tests_transaction_and_leave_it_usable(healthguard_settings) -> None:
    from example_project.vending.models import Customer

    seen = []

    class Counts(HealthCheck):
        def run(self) -> None:
            seen.append(Customer.objects.count())
            connections["default"].cursor().execute("SELECT no_such_column")

    Customer.objects.create(name="in this transaction")
    healthguard_settings({"one": Counts(), "two": RequiredTables(["customers", "nowhere"])}, INLINE=True)
    assert respond(Request("GET", "")).status == 503
    assert seen == [1]
    assert Customer.objects.count() == 1, "the failing query has not broken the transaction"


@pytest.mark.django_db
def test_inline_nothing_is_kept_between_probes(healthguard_settings) -> None:
    check = Counts()
    healthguard_settings({"one": check}, INLINE=True)
    assert [respond(Request("GET", "")).status for _ in range(2)] == [200, 200]
    check.error = strange.UNAVAILABLE
    assert respond(Request("GET", "ready")).status == 503
    assert check.runs == 3


def test_the_guard_is_made_anew_when_a_setting_changes(declare) -> None:
    declare({"one": strange.Fine})
    first = guard()
    assert guard() is first
    declare({"two": strange.Fine})
    assert guard() is not first
    assert list(ask()[1]["services"]) == ["two"]


def test_problems_of_an_outage_and_of_a_configuration_are_told_apart(declare) -> None:
    declare({"io": strange.Raises(ConnectionResetError("x")), "bug": strange.Raises(KeyError("x"))})
    question = Question(Probe.HEALTH)
    question.wait()
    faults = {report.path: report.problems[0].fault for report in question.report().root.services()}
    assert faults == {("io",): Fault.OUTAGE, ("bug",): Fault.CONFIG}
    assert question.report().status is Status.UNHEALTHY
