"""The receivers of ``status_changed``: what they get, and that no answer depends on them."""

from __future__ import annotations

import dataclasses
import datetime
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, connections

from healthguard import Fault, Problem, Service, Status
from healthguard.runner import receivers
from healthguard.runner.receivers import send_change, wait_until_sent
from healthguard.runtime import log
from healthguard.runtime.background_queue import CAPACITY
from healthguard.signals import status_changed
from healthguard.status import Code
from tests.support import strange_checks as strange
from tests.support.fixture_types import Declare
from tests.support.runner_checks import GatedCheck, get_health, is_true_in_fork, wait_for

THREAD = "healthguard-receivers"
PROBLEM = Problem("plug_out", Fault.OUTAGE, "The plug is out.", "Put it in.")
Receiver = Callable[..., object]
Connect = Callable[[Receiver], None]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connect receivers until the test ends."""
    connected: list[Receiver] = []

    def connect(receiver: Receiver) -> None:
        status_changed.connect(receiver, weak=False)
        connected.append(receiver)

    yield connect
    assert wait_until_sent(60)
    for receiver in connected:
        status_changed.disconnect(receiver)
    for thread in threads():
        thread.join(60)


@dataclasses.dataclass
class Recorder:
    """A receiver that stores what it gets about services of these tests. It can hang, or raise an exception."""

    changes: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    threads: list[str] = dataclasses.field(default_factory=list)
    gate: threading.Event = dataclasses.field(default_factory=threading.Event)
    error: BaseException | None = None

    def __call__(self, **arguments: Any) -> None:
        if not arguments["service"][0].startswith("sent"):
            # A run that an earlier test has left in flight may change meanwhile.
            return
        self.threads.append(threading.current_thread().name)
        self.gate.wait()
        self.changes.append(arguments)
        if self.error is not None:
            raise self.error

    # Receivers must be hashable.
    __hash__ = object.__hash__

    def of(self, service: str) -> list[tuple[str, str, list[str]]]:
        """Return the statuses before and after each change of a service, and the codes of its problems."""
        return [
            (change["previous"], change["status"], [problem.code for problem in change["problems"]])
            for change in self.changes
            if change["service"] == (service,)
        ]


@pytest.fixture
def recorder(connect: Connect) -> Iterator[Recorder]:
    """A receiver that stores what it gets."""
    recorder = Recorder()
    recorder.gate.set()
    connect(recorder)
    yield recorder
    recorder.gate.set()


def send(name: str = "sent") -> None:
    send_change((name,), Status.HEALTHY, Status.UNHEALTHY, (PROBLEM,))


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the log lines about receivers."""
    assert wait_until_sent(60)
    assert log.flush(60)
    return [message for message in caplog.messages if "status_changed" in message]


def test_receiver_gets_each_change_once(declare: Declare, recorder: Recorder) -> None:
    """A probe that changes nothing sends nothing."""
    check = GatedCheck()
    declare({"sent": Service(check, ttl=0)})
    for error in (None, strange.UNAVAILABLE, None):
        check.error = error
        for _ in range(3):
            get_health(query="fresh=1")
    wait_for(lambda: len(recorder.of("sent")) == 3)
    assert recorder.of("sent") == [
        ("unknown", "healthy", []),
        ("healthy", "unhealthy", ["unavailable"]),
        ("unhealthy", "healthy", []),
    ]


def test_receiver_gets_documented_arguments(recorder: Recorder) -> None:
    before = datetime.datetime.now(datetime.UTC)
    send_change(("sent", "openai"), Status.HEALTHY, Status.UNHEALTHY, (PROBLEM,))
    assert wait_until_sent(60)
    (change,) = recorder.changes
    assert before <= change.pop("time") <= datetime.datetime.now(datetime.UTC)
    assert change == {
        "signal": status_changed,
        "sender": Service,
        "service": ("sent", "openai"),
        "previous": Status.HEALTHY,
        "status": Status.UNHEALTHY,
        "problems": (PROBLEM,),
    }


def test_checks_that_were_not_run_have_no_problem(declare: Declare, recorder: Recorder) -> None:
    """Their problem only repeats that of the check before them."""
    declare({"sent": [strange.Raises(strange.UNAVAILABLE), strange.Fine]})
    _, report = get_health()
    assert report["sent"]["checks"][1]["code"] == Code.NOT_RUN
    wait_for(lambda: recorder.of("sent") == [("unknown", "unhealthy", ["unavailable"])])


def test_receiver_that_hangs_delays_no_answer(declare: Declare, recorder: Recorder) -> None:
    recorder.gate.clear()
    check = GatedCheck()
    declare({"sent": Service(check, ttl=0)})
    for error, status in ((None, 200), (strange.UNAVAILABLE, 503), (None, 200)):
        check.error = error
        assert get_health(query="fresh=1")[0] == status
    assert recorder.changes == []
    recorder.gate.set()
    wait_for(lambda: len(recorder.of("sent")) == 3)


@pytest.mark.parametrize("error", [ValueError(strange.SECRET), SystemExit(strange.SECRET), BaseException()])
def test_receiver_that_raises_is_logged_once_per_change_without_the_text(
    recorder: Recorder, connect: Connect, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    """The text of an exception may contain a secret. Other receivers are called nevertheless."""
    recorder.error = error
    other = Recorder()
    other.gate.set()
    connect(other)
    with caplog.at_level(logging.INFO):
        send("sent")
        send("sent-too")
        assert lines(caplog) == [
            f"{__name__}.Recorder, a receiver of status_changed, raised {type(error).__name__} for the change {name}: "
            "healthy -> unhealthy."
            for name in ("sent", "sent-too")
        ]
    assert [change["service"] for change in other.changes] == [("sent",), ("sent-too",)]
    assert strange.SECRET not in caplog.text


def test_asynchronous_receiver_is_called(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    called: list[tuple[str, ...]] = []

    async def remember(service: tuple[str, ...], **arguments: object) -> None:
        called.append(service)
        raise ValueError(strange.SECRET)

    connect(remember)
    with caplog.at_level(logging.INFO):
        send()
        text = "\n".join(lines(caplog))
    assert ("sent",) in called
    assert "remember, a receiver of status_changed, raised ValueError for the change sent: " in text
    assert strange.SECRET not in caplog.text


def test_changes_beyond_the_capacity_are_dropped_and_counted(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """A receiver that hangs forever is logged as well."""
    log.forget()
    recorder.gate.clear()
    with caplog.at_level(logging.INFO):
        for _ in range(CAPACITY + 10):
            send()
        assert log.flush(60)
        assert sum("so further ones are dropped" in message for message in caplog.messages) == 1
        recorder.gate.set()
        assert wait_until_sent(60)
        (line,) = [line for line in lines(caplog) if "were not sent" in line]
    assert int(line.split()[0]) >= 9


def threads() -> list[threading.Thread]:
    """Return the threads of receivers that have not ended."""
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


def test_no_thread_is_started_without_receivers(monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[object] = []
    monkeypatch.setattr(receivers._queue, "add", added.append)
    send()
    assert added == []


def test_receivers_are_called_on_one_thread(recorder: Recorder) -> None:
    recorder.gate.clear()
    for _ in range(5):
        send()
    assert len(threads()) == 1
    recorder.gate.set()
    assert wait_until_sent(60)
    assert set(recorder.threads) == {THREAD}


def test_connections_of_a_receiver_are_closed_after_each_change(connect: Connect, django_db_blocker: Any) -> None:
    opened: list[Any] = []
    was_closed: list[bool] = []

    def query(**arguments: object) -> None:
        was_closed.append(connection.connection is None)
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        opened.append(connection.connection)

    own = connections["default"]
    connect(query)
    send()
    send()
    assert wait_until_sent(60)
    assert len(was_closed) >= 2
    assert all(was_closed)
    assert all(each.closed for each in opened)
    assert connections["default"] is own


def test_forked_child_calls_its_receivers_itself(recorder: Recorder) -> None:
    """The thread of the parent does not exist there, and the changes of the parent are the parent's."""
    recorder.gate.clear()
    send("sent-by-parent")

    def is_sent() -> bool:
        recorder.gate = threading.Event()
        recorder.gate.set()
        send("sent-by-child")
        return wait_until_sent(60) and [change["service"] for change in recorder.changes] == [("sent-by-child",)]

    assert is_true_in_fork(is_sent)


def test_inline_receivers_are_called_on_the_thread_of_the_caller(
    healthguard_settings: Declare, recorder: Recorder
) -> None:
    """A test uses the transaction of its own thread."""
    healthguard_settings({"sent": strange.Fine}, INLINE=True)
    get_health(token="")
    assert recorder.of("sent") == [("unknown", "healthy", [])]
    assert recorder.threads == [threading.current_thread().name]


def test_inline_receiver_that_raises_changes_no_answer(healthguard_settings: Declare, recorder: Recorder) -> None:
    recorder.error = ValueError(strange.SECRET)
    healthguard_settings({"sent": strange.Fine}, INLINE=True)
    assert get_health(token="")[0] == 200
