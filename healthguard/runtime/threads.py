"""Native daemon threads, and an executor that uses them.

The interpreter joins the threads of concurrent.futures when it exits, so one hanging call would keep a worker from
exiting. The threads of this module are daemons, which the interpreter does not join.

Under gevent, all threads of a process are greenlets of one native thread, and asyncio has one running loop per native
thread. Other greenlets of that thread, like a request that queries the database, would seem to run inside our loop.
Therefore this module starts native threads under gevent too.
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
    """Return gevent's ``monkey`` module if it has patched ``threading``; None otherwise."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey if monkey is not None and monkey.is_module_patched("threading") else None


def _original(module: str, name: str) -> Any:
    """Return the unpatched object of a module.

    gevent's replacements sometimes lose a wake-up if several native threads use them.
    """
    patches = _gevents_patches()
    return patches.get_original(module, name) if patches else getattr(importlib.import_module(module), name)


def start(work: Callable[[], None], name: str) -> None:
    """Run ``work`` on a native daemon thread.

    Raises:
        RuntimeError: the process cannot start another thread.
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
    """Destroy the hub that gevent creates on a thread that waits. gevent does not destroy it when the thread ends."""
    import gevent

    gevent.get_hub().destroy(destroy_loop=True)


def call_where_no_loop_runs(call: Callable[[], T]) -> T:
    """Return the result of ``call``. Under gevent it is called on a native thread that no other greenlet uses.

    There asyncio's running loop does not affect other code.
    """
    if _gevents_patches() is None:
        return call()
    from gevent.threadpool import ThreadPool

    _import_shared_modules()
    pool = ThreadPool(1)
    try:
        return cast("T", pool.apply(contextvars.copy_context().run, (call,)))
    finally:
        pool.kill()


@functools.cache
def _import_shared_modules() -> None:
    """Import modules on one thread that several threads would import at once.

    gevent has patched the import locks too, so concurrent imports on native threads are not safe.
    """
    for name in ("httpx", "httpcore", "anyio._backends._asyncio", "encodings.idna", "sniffio"):
        try:
            importlib.import_module(name)
        except ImportError:
            # httpcore tries to import sniffio for each request, and works without it. With this entry the import fails
            # without taking a lock.
            sys.modules.setdefault(name, cast("types.ModuleType", None))


class _Future(Future[T]):
    """A future that native threads can share under gevent."""

    def __init__(self) -> None:
        super().__init__()
        self._condition = threading.Condition(_original("_thread", "RLock")())


class DaemonExecutor(ThreadPoolExecutor):
    """An executor that runs calls on native daemon threads.

    It derives from ThreadPoolExecutor only because asyncio accepts no other class as a loop's default executor. The
    threads and the queue of that class are not used.

    Args:
        max_workers: the largest number of threads. With one, all calls run on the same thread, in order.
        thread_context: the function that returns a context manager for the lifetime of a thread. It is entered on that
            thread.
    """

    def __init__(self, max_workers: int, thread_context: Callable[[], AbstractContextManager[None]]) -> None:
        super().__init__(max_workers)
        self._limit = max_workers
        self._thread_context = thread_context
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = _original("queue", "SimpleQueue")()
        self._started = 0
        self._idle = 0
        self._idle_lock = _original("_thread", "allocate_lock")()
        self._unfinished: set[Future[Any]] = set()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Queue a call. Start another thread if all are busy and the limit is not reached.

        Raises:
            RuntimeError: the process cannot start a thread, and the executor does not have one yet.
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
        """Return True if a thread is waiting for a call. That thread counts as busy from now on."""
        with self._idle_lock:
            is_one_idle = self._idle > 0
            self._idle -= is_one_idle
        return is_one_idle

    def _start_thread(self) -> None:
        try:
            start(self._work, "healthguard-executor")
        except RuntimeError:
            # The process cannot start another thread. The existing threads will run the call.
            if not self._started:
                raise
        else:
            self._started += 1

    def _work(self) -> None:
        with self._thread_context():
            while (call := self._calls.get()) is not None:
                call()
                with self._idle_lock:
                    self._idle += 1

    @property
    def is_done(self) -> bool:
        """True if all calls have ended."""
        return not self._unfinished

    def wait_until_done(self) -> None:
        """Wait until all calls have ended, including those that are queued meanwhile."""
        while unfinished := list(self._unfinished):
            wait(unfinished)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads after the queued calls, without waiting for them. The arguments have no effect."""
        for _ in range(self._started):
            self._calls.put(None)
