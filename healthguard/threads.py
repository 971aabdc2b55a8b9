"""Threads of the system, and an executor of such that nobody has to wait for.

The threads of concurrent.futures are joined when the interpreter exits, so that one hanging call keeps a worker from
ending. These are daemons: what hangs in them is left behind.

Under gevent all of a process's threads are greenlets of one thread of the system, and asyncio knows of one running loop
a thread of the system: to whatever else runs there, a request that asks the database, it would seem to run inside ours.
So there these are threads of the system all the same.
"""

from __future__ import annotations

import contextvars
import importlib
import queue
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

T = TypeVar("T")


def _gevents_patches() -> Any:
    """What knows of gevent's patches; None where threads are threads."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey if monkey is not None and monkey.is_module_patched("threading") else None


def _original(module: str, name: str) -> Any:
    patches = _gevents_patches()
    return patches.get_original(module, name) if patches else getattr(importlib.import_module(module), name)


def start(work: Callable[[], None], name: str) -> None:
    """Let ``work`` run on a daemon thread of the system.

    Raises:
        RuntimeError: the process can start none.
    """
    if _gevents_patches() is None:
        threading.Thread(target=work, name=name, daemon=True).start()
        return
    _original("_thread", "start_new_thread")(contextvars.copy_context().run, (work,))


def call_where_no_loop_runs(call: Callable[[], T]) -> T:
    """Call it here; under gevent on a thread of the system, where asyncio's running loop is nobody else's."""
    if _gevents_patches() is None:
        return call()
    from gevent.threadpool import ThreadPool

    pool = ThreadPool(1)
    try:
        return cast("T", pool.apply(contextvars.copy_context().run, (call,)))
    finally:
        pool.kill()


class DaemonExecutor(ThreadPoolExecutor):
    """Runs calls on daemon threads.

    Args:
        max_workers: how many threads at most; with one, all calls run on the same thread, in order.
        surroundings: makes what surrounds the whole life of a thread.

    A ThreadPoolExecutor by name only, because asyncio takes no other as a loop's default executor: nothing of that
    class's own threads or queue is used.
    """

    def __init__(self, max_workers: int, surroundings: Callable[[], AbstractContextManager[None]]) -> None:
        super().__init__(max_workers)
        self._limit = max_workers
        self._surroundings = surroundings
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = _original("queue", "SimpleQueue")()
        self._started = 0
        self._idle = threading.Semaphore(0)
        self._unfinished: set[Future[Any]] = set()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Queue a call; starts a thread for it if all are busy and there may be more.

        Raises:
            RuntimeError: the process cannot start a thread, and there is none yet.
        """
        future: Future[T] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        if not self._idle.acquire(blocking=False) and self._started < self._limit:
            self._start_thread()
        self._unfinished.add(future)
        future.add_done_callback(self._unfinished.discard)
        self._calls.put(call)
        return future

    def _start_thread(self) -> None:
        try:
            start(self._work, "healthguard-executor")
        except RuntimeError:
            # The process may have no more threads. Those that there are will do it.
            if not self._started:
                raise
        else:
            self._started += 1

    def _work(self) -> None:
        with self._surroundings():
            while (call := self._calls.get()) is not None:
                call()
                self._idle.release()

    @property
    def is_done(self) -> bool:
        """Whether there is no call that has not ended."""
        return not self._unfinished

    def wait_until_done(self) -> None:
        """Wait for all the calls there are."""
        while unfinished := list(self._unfinished):
            wait(unfinished)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the threads end when they have done what is queued; never waits for them."""
        for _ in range(self._started):
            self._calls.put(None)
