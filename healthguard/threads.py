"""Threads of the system, and an executor of such that nobody has to wait for.

The threads of concurrent.futures are joined when the interpreter exits, so that one hanging call keeps a worker from
ending. These are daemons: what hangs in them is left behind.

Under gevent all of a process's threads are greenlets of one thread of the system, and asyncio knows of one running loop
a thread of the system: to whatever else runs there, a request that asks the database, it would seem to run inside ours.
So there these are threads of the system all the same.
"""

from __future__ import annotations

import contextvars
import functools
import importlib
import queue
import sys
import threading
import types
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
    """What waits as the system does: gevent's own, used by several threads of the system, lose a wake-up at times."""
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

    def run() -> None:
        try:
            work()
        finally:
            _end_hub()

    _original("_thread", "start_new_thread")(run, ())


def _end_hub() -> None:
    """Close what gevent opens on a thread on which something waits: nobody else would."""
    import gevent

    gevent.get_hub().destroy(destroy_loop=True)


def call_where_no_loop_runs(call: Callable[[], T]) -> T:
    """Call it here; under gevent on a thread of the system, where asyncio's running loop is nobody else's."""
    if _gevents_patches() is None:
        return call()
    from gevent.threadpool import ThreadPool

    _import_what_checks_import()
    pool = ThreadPool(1)
    try:
        return cast("T", pool.apply(contextvars.copy_context().run, (call,)))
    finally:
        pool.kill()


@functools.cache
def _import_what_checks_import() -> None:
    """Import on one thread what several would import at once: the locks of imports are gevent's too."""
    for name in ("httpx", "httpcore", "anyio._backends._asyncio", "encodings.idna", "sniffio"):
        try:
            importlib.import_module(name)
        except ImportError:
            # httpcore looks for sniffio at every request, and does without. This it is told without a lock.
            sys.modules.setdefault(name, cast("types.ModuleType", None))


class _Future(Future[T]):
    """A future that threads of the system may share."""

    def __init__(self) -> None:
        super().__init__()
        self._condition = threading.Condition(_original("_thread", "RLock")())


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
        self._idle = 0
        self._counting = _original("_thread", "allocate_lock")()
        self._unfinished: set[Future[Any]] = set()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Queue a call; starts a thread for it if all are busy and there may be more.

        Raises:
            RuntimeError: the process cannot start a thread, and there is none yet.
        """
        future: Future[T] = _Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        if not self._take_idle() and self._started < self._limit:
            self._start_thread()
        self._unfinished.add(future)
        future.add_done_callback(self._unfinished.discard)
        self._calls.put(call)
        return future

    def _take_idle(self) -> bool:
        """Whether there is a thread that waits for a call; it is counted as busy from here on."""
        with self._counting:
            is_one_idle = self._idle > 0
            self._idle -= is_one_idle
        return is_one_idle

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
                with self._counting:
                    self._idle += 1

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
