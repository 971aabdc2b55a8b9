"""The log: no response and no run waits for it, even if its handlers raise or block."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from healthguard.runtime import log
from healthguard.runtime.background_queue import CAPACITY


class Handler(logging.Handler):
    """A log handler that collects lines. A test can make it raise an exception or block."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.is_raising = False
        self.gate = threading.Event()
        self.gate.set()

    def emit(self, record: logging.LogRecord) -> None:
        self.gate.wait()
        if self.is_raising:
            raise SystemExit("the handler raised")
        line = record.getMessage()
        # A run that an earlier test has left in flight may log a change of status meanwhile.
        if " -> " not in line:
            self.lines.append(line)


@pytest.fixture
def handler() -> Iterator[Handler]:
    """A handler of healthguard's logger."""
    assert log.flush(60), "the lines of an earlier test"
    handler = Handler()
    logger = logging.getLogger("healthguard")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    log.forget()
    yield handler
    handler.gate.set()
    assert log.flush(60)
    logger.removeHandler(handler)
    logger.setLevel(level)


def wait_for_log_threads() -> None:
    """Wait until the threads that write lines have ended."""
    for thread in threading.enumerate():
        if thread.name == "healthguard-log":
            thread.join(60)
    assert "healthguard-log" not in [thread.name for thread in threading.enumerate()]


def test_lines_are_written_in_order(handler: Handler) -> None:
    """The background thread writes every line in the order of the calls."""
    for number in range(100):
        log.write(log.INFO, "line %s", number)
    assert log.flush(60)
    assert handler.lines == [f"line {number}" for number in range(100)]


def test_handler_that_raises_loses_one_line(handler: Handler) -> None:
    """Not even SystemExit reaches the caller or prevents the next line."""
    handler.is_raising = True
    log.write(log.ERROR, "lost")
    assert log.flush(60)
    handler.is_raising = False
    log.write(log.ERROR, "written")
    assert log.flush(60)
    assert handler.lines == ["written"]


def test_blocked_handler_blocks_no_caller_and_holds_one_thread(handler: Handler) -> None:
    """A handler blocks when it writes to a full pipe. Lines beyond the capacity are dropped and counted."""
    wait_for_log_threads()
    handler.gate.clear()
    before = set(threading.enumerate())
    for number in range(CAPACITY + 50):
        log.write(log.INFO, "line %s", number)
    assert [thread.name for thread in threading.enumerate() if thread not in before] == ["healthguard-log"]
    assert not log.flush(0)
    handler.gate.set()
    assert log.flush(30)
    dropped = [line for line in handler.lines if "log lines were dropped" in line]
    kept = len(handler.lines) - len(dropped)
    assert len(dropped) == 1
    assert kept + int(dropped[0].split()[0]) == CAPACITY + 50


def test_thread_ends_when_all_lines_are_written(handler: Handler) -> None:
    """A thread exists only while there are lines to write."""
    log.write(log.INFO, "one")
    assert log.flush(60)
    log.write(log.INFO, "two")
    assert log.flush(60)
    wait_for_log_threads()


def test_line_logged_once_is_not_written_again(handler: Handler) -> None:
    """Lines with different arguments are different lines."""
    for _ in range(3):
        log.once(log.WARNING, "the file %s", "a")
        log.once(log.WARNING, "the file %s", "b")
    assert log.flush(60)
    assert handler.lines == ["the file a", "the file b"]


def test_arguments_cannot_forge_a_line(handler: Handler) -> None:
    """Line breaks and escape sequences in an argument are written as escape sequences."""
    log.write(log.INFO, "name: %s", "x\n2026-01-01 ERROR healthguard: forged\x1b[2J")
    assert log.flush(60)
    assert handler.lines == [r"name: x\n2026-01-01 ERROR healthguard: forged\x1b[2J"]


def test_forked_child_writes_its_own_lines(handler: Handler, tmp_path: Path) -> None:
    """A thread of the parent may hold the queue at the moment of the fork, so the child has its own queue."""
    handler.gate.clear()
    log.write(log.INFO, "of the parent")
    written = tmp_path / "written"
    child = os.fork()
    if child == 0:
        handler.gate = threading.Event()
        handler.gate.set()
        log.write(log.INFO, "of the child")
        is_written = log.flush(60)
        written.write_text(f"{is_written} {handler.lines}")
        os._exit(0)
    os.waitpid(child, 0)
    assert written.read_text() == "True ['of the child']"


PROJECT = """
import healthguard.wsgi
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="x" * 60,
    INSTALLED_APPS=["healthguard"],
    LOGGING={
        "version": 1,
        "handlers": {"stderr": {"class": "logging.StreamHandler"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
    },
)
django.setup()
from healthguard.runtime import log

log.write(log.WARNING, "The pod is unhealthy.")
assert log.flush(60)
"""


def test_module_that_is_imported_before_the_setup_does_not_disable_the_log() -> None:
    """In wsgi.py the import of the wrapper comes first, and LOGGING disables the loggers that exist by then."""
    done = subprocess.run([sys.executable, "-c", PROJECT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "The pod is unhealthy.\n")
