"""The queue of a background thread: its users never wait, and nothing that a handler does affects them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from healthguard.runtime.background_queue import CAPACITY, BackgroundQueue
from tests.support.locks import held_by_another_thread
from tests.support.runner_checks import is_true_in_fork
from tests.support.sites import REPOSITORY

THREAD = "healthguard-numbers"
QUEUE = "queue = background_queue.BackgroundQueue('numbers', lambda action: action(), print)"


class Numbers:
    """A queue of numbers, and what its thread has done. A test can make the thread raise an exception or block."""

    def __init__(self) -> None:
        self.handled: list[int] = []
        self.dropped: list[int] = []
        self.is_raising = False
        self.gate = threading.Event()
        self.gate.set()
        self.queue: BackgroundQueue[int] = BackgroundQueue(THREAD, self.handle, self.dropped.append)

    def handle(self, number: int) -> None:
        self.gate.wait()
        if self.is_raising:
            raise SystemExit("the handler raised")
        self.handled.append(number)

    def threads(self) -> list[threading.Thread]:
        """Return the threads of the queue that have not ended."""
        return [thread for thread in threading.enumerate() if thread.name == THREAD]


@pytest.fixture
def numbers() -> Iterator[Numbers]:
    """A queue whose thread has ended when the test has."""
    numbers = Numbers()
    yield numbers
    numbers.gate.set()
    for thread in numbers.threads():
        thread.join(60)
    assert numbers.threads() == []


def test_items_are_handled_in_order(numbers: Numbers) -> None:
    assert all(numbers.queue.add(number) for number in range(100))
    assert numbers.queue.wait_until_empty(60)
    assert numbers.handled == list(range(100))


def test_item_after_one_that_raised_is_handled(numbers: Numbers) -> None:
    """Not even SystemExit ends the thread."""
    numbers.is_raising = True
    numbers.queue.add(1)
    assert numbers.queue.wait_until_empty(60)
    numbers.is_raising = False
    numbers.queue.add(2)
    assert numbers.queue.wait_until_empty(60)
    assert numbers.handled == [2]


def test_items_beyond_the_capacity_are_dropped_and_counted(numbers: Numbers) -> None:
    """While a handler hangs, adding an item neither waits nor starts another thread."""
    numbers.gate.clear()
    added = [numbers.queue.add(number) for number in range(CAPACITY + 50)]
    assert len(numbers.threads()) == 1
    assert not numbers.queue.wait_until_empty(0)
    numbers.gate.set()
    assert numbers.queue.wait_until_empty(60)
    assert numbers.dropped == [added.count(False)]
    assert 49 <= numbers.dropped[0] <= 50
    assert len(numbers.handled) + numbers.dropped[0] == CAPACITY + 50


def test_thread_ends_when_all_items_are_handled(numbers: Numbers) -> None:
    """A thread exists only while there are items to handle."""
    assert numbers.threads() == []
    numbers.queue.add(1)
    assert numbers.queue.wait_until_empty(60)
    for thread in numbers.threads():
        thread.join(60)
    assert numbers.threads() == []


def test_item_waits_if_no_thread_can_be_started(numbers: Numbers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next item starts the thread."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert numbers.queue.add(1)
    assert numbers.handled == []
    numbers.queue.add(2)
    assert numbers.queue.wait_until_empty(60)
    assert numbers.handled == [1, 2]


def test_forked_child_has_an_empty_queue_of_its_own(numbers: Numbers) -> None:
    """A thread of the parent holds the lock at the moment of the fork."""
    numbers.gate.clear()
    numbers.queue.add(1)

    def handles_its_own() -> bool:
        numbers.gate = threading.Event()
        numbers.gate.set()
        numbers.queue.add(2)
        return numbers.queue.wait_until_empty(60) and numbers.handled == [2]

    with held_by_another_thread(numbers.queue._changed):
        is_handled = is_true_in_fork(handles_its_own)
    assert is_handled


def ended(*actions: str) -> str:
    """Return the output of a process that has ended after these actions."""
    program = "\n".join(["import threading, time", "from healthguard.runtime import background_queue", *actions])
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stderr == ""
    return done.stdout


def test_end_of_the_process_waits_for_items() -> None:
    handles = "queue.add(lambda: (time.sleep(0.5), print('handled')))"
    assert ended("background_queue._EXIT_SECONDS = 60", QUEUE, handles) == "handled\n"


def test_end_of_the_process_does_not_wait_for_an_item_that_hangs() -> None:
    assert ended(QUEUE, "queue.add(threading.Event().wait)") == ""
