"""The one place from which healthguard writes to the log.

A log handler may raise, or may wait forever for a pipe that nobody reads. No answer and no run must wait for it.
Therefore lines are queued, and one background thread writes them.
"""

from __future__ import annotations

import logging
import os
from logging import ERROR, INFO, WARNING
from typing import TypeAlias

from healthguard.runtime.background_queue import CAPACITY, BackgroundQueue
from healthguard.runtime.text import escaped

__all__ = ["ERROR", "INFO", "WARNING", "flush", "forget", "once", "write"]

_Line: TypeAlias = tuple[int, str, tuple[object, ...]]

_DROPPED = "%s log lines were dropped, because the log handlers are too slow."


def _logger() -> logging.Logger:
    """Return the logger. It must not exist before ``django.setup()``.

    A module like ``healthguard.wsgi`` is imported earlier. With ``disable_existing_loggers``, which is true by default,
    ``LOGGING`` would disable a logger that exists by then.
    """
    return logging.getLogger("healthguard")


def _write_line(line: _Line) -> None:
    level, message, arguments = line
    _logger().log(level, message, *arguments)


def _write_dropped(count: int) -> None:
    _logger().warning(_DROPPED, count)


_queue: BackgroundQueue[_Line] = BackgroundQueue("healthguard-log", _write_line, _write_dropped)
_written_once: set[tuple[object, ...]] = set()


def write(level: int, message: str, *arguments: object) -> None:
    """Queue a line for the logger ``healthguard``. Never waits and never raises.

    Args:
        level: the level, like ``log.WARNING``.
        message: the text, with a placeholder like ``%s`` for each argument.
        arguments: the values of the placeholders. Control characters in texts are escaped, so that nobody can forge a
            line.
    """
    _queue.add((level, message, tuple(escaped(value) if isinstance(value, str) else value for value in arguments)))


def once(level: int, message: str, *arguments: object) -> None:
    """Queue a line like :func:`write`, unless this process has already queued the same line."""
    line = (level, message, *arguments)
    if line not in _written_once and len(_written_once) < CAPACITY:
        _written_once.add(line)
        write(level, message, *arguments)


def flush(seconds: float) -> bool:
    """Wait until all queued lines are written, at most ``seconds``; return True if they are."""
    return _queue.wait_until_empty(seconds)


def forget() -> None:
    """Clear the record of the lines that :func:`once` has queued."""
    _written_once.clear()


if hasattr(os, "register_at_fork"):
    # The child has its own log.
    os.register_at_fork(after_in_child=_written_once.clear)
