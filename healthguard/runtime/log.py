"""The one place from which healthguard writes to the log.

A log handler may raise, or may wait forever for a pipe that nobody reads. No answer and no run must wait for it.
Therefore lines are queued, and one background thread writes them.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import logging
import os
import threading
from logging import ERROR, INFO, WARNING

from healthguard.runtime.text import escaped

__all__ = ["ERROR", "INFO", "WARNING", "flush", "forget", "once", "write"]

CAPACITY = 1000
"""The number of lines that may wait to be written. Further lines are dropped, and counted."""
_EXIT_SECONDS = 0.25
"""The longest time for which the end of the process waits for lines to be written (seconds)."""

_DROPPED = "%s log lines were dropped, because the log handlers are too slow."

_logger = logging.getLogger("healthguard")


class _Queue:
    """The lines that wait to be written, and the thread that writes them while there are any."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lines: collections.deque[tuple[int, str, tuple[object, ...]]] = collections.deque()
        self._dropped = 0
        self._is_writing = False

    def add(self, level: int, message: str, arguments: tuple[object, ...]) -> None:
        with self._changed:
            if len(self._lines) >= CAPACITY:
                self._dropped += 1
                return
            self._lines.append((level, message, arguments))
            if self._is_writing:
                return
            self._is_writing = True
        try:
            threading.Thread(target=self._write_all, name="healthguard-log", daemon=True).start()
        except Exception:
            # The process cannot start a thread now. The next line tries again.
            with self._changed:
                self._is_writing = False

    def _write_all(self) -> None:
        while True:
            with self._changed:
                if self._dropped and len(self._lines) < CAPACITY:
                    self._lines.append((WARNING, _DROPPED, (self._dropped,)))
                    self._dropped = 0
                if not self._lines:
                    self._is_writing = False
                    self._changed.notify_all()
                    return
                level, message, arguments = self._lines.popleft()
            # The next line must be written even if a handler raises.
            with contextlib.suppress(BaseException):
                _logger.log(level, message, *arguments)

    def wait_until_written(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._is_writing and not self._lines, seconds)


_queue = _Queue()
_written_once: set[tuple[object, ...]] = set()


def write(level: int, message: str, *arguments: object) -> None:
    """Queue a line for the logger ``healthguard``. Never waits and never raises.

    Args:
        level: the level, like ``log.WARNING``.
        message: the text, with a placeholder like ``%s`` for each argument.
        arguments: the values of the placeholders. Control characters in texts are escaped, so that nobody can forge a
            line.
    """
    _queue.add(level, message, tuple(escaped(value) if isinstance(value, str) else value for value in arguments))


def once(level: int, message: str, *arguments: object) -> None:
    """Queue a line like :func:`write`, unless this process has already queued the same line."""
    line = (level, message, *arguments)
    if line not in _written_once and len(_written_once) < CAPACITY:
        _written_once.add(line)
        write(level, message, *arguments)


def flush(seconds: float) -> bool:
    """Wait until all queued lines are written, at most ``seconds``; return True if they are."""
    return _queue.wait_until_written(seconds)


def forget() -> None:
    """Clear the record of the lines that :func:`once` has queued."""
    _written_once.clear()


def _start_over_after_fork() -> None:
    global _queue
    # The child does not have the parent's thread, and a thread of the parent may have held the lock. The child also
    # has its own log.
    _queue = _Queue()
    _written_once.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_over_after_fork)
atexit.register(flush, _EXIT_SECONDS)
