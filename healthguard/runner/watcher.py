"""The thread that watches the runs in flight: their timeouts, and the processes of the pod that execute them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from healthguard.runtime import log

_PAUSE_AFTER_ERROR = 1.0
"""The time after which the thread looks again if it failed (seconds)."""


class Watcher:
    """A thread that exists while there is something to watch.

    Args:
        look: the function that looks once. It returns the time until it must look again (seconds); None if there is
            nothing to watch any more.
    """

    def __init__(self, look: Callable[[], float | None]) -> None:
        self._look = look
        self._changed = threading.Condition()
        self._is_running = False
        self._is_woken = False

    def wake(self) -> None:
        """Look now, because there is something new to watch. Never raises.

        If the process cannot start a thread, nothing is watched until the next call.
        """
        with self._changed:
            self._is_woken = True
            self._changed.notify()
            if self._is_running:
                return
            self._is_running = True
        self._start()

    def ensure(self) -> None:
        """Start the thread if it is not running, because it could not be started before."""
        if not self._is_running:
            self.wake()

    def look_again(self) -> None:
        """Look now if the thread is running, because there may be nothing to watch any more."""
        with self._changed:
            if self._is_running:
                self._is_woken = True
                self._changed.notify()

    def _start(self) -> None:
        try:
            threading.Thread(target=self._run, name="healthguard-watcher", daemon=True).start()
        except Exception:
            # The process may have no more threads, or no memory.
            with self._changed:
                self._is_running = False

    def _run(self) -> None:
        try:
            self._watch()
        except BaseException:
            # There may be no memory to wait. Nothing may reach the thread's excepthook, which prints the exception.
            with self._changed:
                self._is_running = False

    def _watch(self) -> None:
        while True:
            with self._changed:
                self._is_woken = False
            try:
                seconds = self._look()
            except Exception as error:
                log.once(log.ERROR, "The runs in flight could not be watched (%s).", type(error).__name__)
                seconds = _PAUSE_AFTER_ERROR
            with self._changed:
                if seconds is None and not self._is_woken:
                    self._is_running = False
                    return
                self._changed.wait_for(lambda: self._is_woken, seconds)
