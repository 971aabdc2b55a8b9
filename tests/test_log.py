"""No answer and no run waits for the log, whatever its handlers do."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator

import pytest

from healthguard import log


class Handler(logging.Handler):
    """Collects lines; behaves badly if it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.is_raising = False
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def emit(self, record: logging.LogRecord) -> None:
        self.may_go_on.wait()
        if self.is_raising:
            raise SystemExit("the handler raised")
        self.lines.append(record.getMessage())


@pytest.fixture
def handler() -> Iterator[Handler]:
    assert log.flush(60), "the lines of an earlier test"
    handler = Handler()
    logger = logging.getLogger("healthguard")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    log.forget()
    yield handler
    handler.may_go_on.set()
    assert log.flush(60)
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_lines_are_written_in_order(handler: Handler) -> None:
    """The background thread writes every line, in the order in which they came."""
    for number in range(100):
        log.write(log.INFO, "line %s", number)
    assert log.flush(60)
    assert handler.lines == [f"line {number}" for number in range(100)]


def test_handler_that_raises_costs_one_line(handler: Handler) -> None:
    """Even SystemExit ends neither the caller nor the lines that follow."""
    handler.is_raising = True
    log.write(log.ERROR, "lost")
    assert log.flush(60)
    handler.is_raising = False
    log.write(log.ERROR, "written")
    assert log.flush(60)
    assert handler.lines == ["written"]


def test_handler_that_waits_holds_nobody_and_one_thread(handler: Handler) -> None:
    """As a pipe does that nobody reads: the caller goes on, lines beyond the capacity are dropped and counted."""
    handler.may_go_on.clear()
    before = threading.active_count()
    for number in range(log.CAPACITY + 50):
        log.write(log.INFO, "line %s", number)
    assert threading.active_count() == before + 1
    assert not log.flush(0)
    handler.may_go_on.set()
    assert log.flush(30)
    dropped = [line for line in handler.lines if line.endswith("log lines were dropped.")]
    kept = len(handler.lines) - len(dropped)
    assert len(dropped) == 1
    assert kept + int(dropped[0].split()[0]) == log.CAPACITY + 50


def test_no_thread_stays_when_all_is_written(handler: Handler) -> None:
    """A healthy log costs a thread only while there are lines."""
    log.write(log.INFO, "one")
    assert log.flush(60)
    log.write(log.INFO, "two")
    assert log.flush(60)
    for thread in threading.enumerate():
        if thread.name == "healthguard-log":
            thread.join(10)
    assert "healthguard-log" not in [thread.name for thread in threading.enumerate()]


def test_once_is_once(handler: Handler) -> None:
    """The same line is written a second time only after it was forgotten."""
    for _ in range(3):
        log.once(log.WARNING, "the file %s", "a")
        log.once(log.WARNING, "the file %s", "b")
    assert log.flush(60)
    assert handler.lines == ["the file a", "the file b"]


def test_arguments_cannot_forge_a_line(handler: Handler) -> None:
    """Line breaks and escape sequences in an argument are escaped."""
    log.write(log.INFO, "name: %s", "x\n2026-01-01 ERROR healthguard: forged\x1b[2J")
    assert log.flush(60)
    assert handler.lines == [r"name: x\n2026-01-01 ERROR healthguard: forged\x1b[2J"]


def test_forked_child_writes_its_own_lines(handler: Handler, tmp_path) -> None:
    """A thread of the parent holds the queue at the moment of the fork; the child has a queue of its own."""
    handler.may_go_on.clear()
    log.write(log.INFO, "of the parent")
    written = tmp_path / "written"
    child = os.fork()
    if child == 0:
        handler.may_go_on = threading.Event()
        handler.may_go_on.set()
        log.write(log.INFO, "of the child")
        is_written = log.flush(60)
        written.write_text(f"{is_written} {handler.lines}")
        os._exit(0)
    os.waitpid(child, 0)
    assert written.read_text() == "True ['of the child']"
