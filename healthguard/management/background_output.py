"""The output of a command that runs until it is stopped. It must not wait for the reader of its output."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable

from django.core.management.base import OutputWrapper

from healthguard.runtime.background_queue import BackgroundQueue

_END_SECONDS = 1.0
"""The longest time for which the end of the command waits for the reader (seconds)."""


class BackgroundOutput:
    """Lines that are written on a thread of their own.

    The output may be closed, on a full disk, or a pipe that nobody reads. Then lines are dropped, and counted.

    Args:
        stream: the output.
        report_dropped: the function that is called with the number of dropped lines when lines can be written again.
    """

    def __init__(self, stream: OutputWrapper, report_dropped: Callable[[int], object]) -> None:
        self._stream = stream
        self._queue: BackgroundQueue[str] = BackgroundQueue("healthguard-output", self._write_at_once, report_dropped)

    def write(self, line: str) -> None:
        """Write a line. Never waits and never raises."""
        self._queue.add(line)

    def close(self) -> None:
        """Wait a moment until all lines are written. Then the process can end, even if nobody reads them."""
        if not self._queue.wait_until_empty(_END_SECONDS):
            # The thread holds the lock of this stream, so the end of the process must not flush it.
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - open until the process ends

    def _write_at_once(self, line: str) -> None:
        write_at_once(self._stream, line)


def write_at_once(stream: OutputWrapper, line: str) -> None:
    """Write a line, and ignore that the output is closed or full."""
    with contextlib.suppress(OSError, ValueError):
        stream.write(line, ending="")
        stream.flush()
