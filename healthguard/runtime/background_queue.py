"""Work that no answer and no run may wait for, because it may raise, or hang forever."""

from __future__ import annotations

import atexit
import collections
import contextlib
import functools
import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

CAPACITY = 1000
"""The number of items that may wait. Further items are dropped, and counted."""
_EXIT_SECONDS = 0.25
"""The longest time for which the end of the process waits for the items (seconds)."""


class BackgroundQueue(Generic[T]):
    """The items that wait to be handled, and the daemon thread that handles them while there are any.

    A forked child begins with an empty queue. The end of the process waits a moment for the items. A queue lives as
    long as its process.

    Args:
        name: the name of the thread.
        handle: the function that is called with each item, on the thread. Whatever it raises is ignored.
        report_dropped: the function that is called with the number of dropped items, on the thread.
    """

    def __init__(self, name: str, handle: Callable[[T], object], report_dropped: Callable[[int], object]) -> None:
        self._name = name
        self._handle = handle
        self._report_dropped = report_dropped
        self._start_over()
        if hasattr(os, "register_at_fork"):
            # The child does not have the parent's thread, and a thread of the parent may have held the lock.
            os.register_at_fork(after_in_child=self._start_over)
        atexit.register(self.wait_until_empty, _EXIT_SECONDS)

    def _start_over(self) -> None:
        self._changed = threading.Condition()
        self._calls: collections.deque[Callable[[], object]] = collections.deque()
        self._dropped = 0
        self._is_working = False

    def add(self, item: T) -> bool:
        """Queue an item. Never waits and never raises. Return False if it is dropped, because too many are waiting."""
        with self._changed:
            if len(self._calls) >= CAPACITY:
                self._dropped += 1
                return False
            self._calls.append(functools.partial(self._handle, item))
            if self._is_working:
                return True
            self._is_working = True
        try:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        except Exception:
            # The process cannot start a thread now. The next item tries again.
            with self._changed:
                self._is_working = False
        return True

    def wait_until_empty(self, seconds: float) -> bool:
        """Wait until all items are handled, at most ``seconds``; return True if they are."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._is_working and not self._calls, seconds)

    def _work(self) -> None:
        while True:
            with self._changed:
                if self._dropped and len(self._calls) < CAPACITY:
                    self._calls.append(functools.partial(self._report_dropped, self._dropped))
                    self._dropped = 0
                if not self._calls:
                    self._is_working = False
                    self._changed.notify_all()
                    return
                call = self._calls.popleft()
            # The next item must be handled whatever is raised.
            with contextlib.suppress(BaseException):
                call()
