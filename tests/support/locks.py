"""Locks that a thread holds while a test does something else."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager


@contextlib.contextmanager
def held_by_another_thread(lock: AbstractContextManager[object]) -> Iterator[None]:
    """Let a thread hold a lock, as long as the context manager is entered."""
    is_held, is_done = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            is_held.set()
            is_done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_held.wait(60)
    try:
        yield
    finally:
        is_done.set()
        thread.join(60)
