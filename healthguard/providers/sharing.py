"""One verification for a whole fleet, through a Django cache that all of its processes share.

Who gets to put the claim into the cache asks the provider; the claim lasts for one ttl. The others read what was found.
A cache that is down, slow or empty costs no more than that each process asks for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from healthguard.providers.remembered import TRUSTED_SECONDS, learn
from healthguard.providers.verdict import Verdict
from healthguard.providers.verification import Verification

T = TypeVar("T")

CACHE_SECONDS = 0.5
"""How long one call of the cache may take (seconds)."""
_TURN_SECONDS = 0.05

# Threads that a cache has not given back, by its alias: while there is one, that cache is not asked.
_hanging: dict[str, threading.Thread] = {}
os.register_at_fork(after_in_child=_hanging.clear)


class _NoCacheError(Exception):
    """The cache cannot be asked."""


async def shared(
    alias: str, name: str, ask: Callable[[], Awaitable[Verification]], *, ttl: float, limit: float
) -> Verification:
    """What the fleet knows of a key; or what ``ask`` gives, if it is this process's turn or the cache is of no help.

    Args:
        alias: the cache's, in CACHES.
        name: tells the keys apart: a keyed hash, for it is seen by whoever sees the cache.
        ask: asks the provider.
        ttl: for how long nobody else asks (seconds).
        limit: how long to wait for what another process is about to find (seconds).
    """
    key = f"healthguard:key:{name}"
    # The other half is for asking, should nobody have found anything.
    ends = time.monotonic() + limit / 2
    try:
        cache = _cache(alias)
        is_ours = await _call(alias, lambda: cache.add(f"{key}:claim", 1, timeout=ttl))
        if not is_ours:
            while time.monotonic() < ends:
                found = _read(await _call(alias, lambda: cache.get(key)))
                if found is not None:
                    verification, at = found
                    learn(name, verification, at)
                    return verification
                await asyncio.sleep(_TURN_SECONDS)
            # Whoever claimed it has found nothing in all that time.
    except _NoCacheError:
        return await ask()
    verification = await ask()
    try:
        entry = {**dataclasses.asdict(verification), "verdict": str(verification.verdict), "at": time.time()}
        await _call(alias, lambda: cache.set(key, entry, timeout=TRUSTED_SECONDS))
    except _NoCacheError:
        pass
    return verification


def _cache(alias: str) -> Any:
    from django.core.cache import caches

    try:
        return caches[alias]
    except Exception as error:
        raise _NoCacheError from error


async def _call(alias: str, call: Callable[[], T]) -> T:
    """What ``call`` gives, on a thread of its own: a cache that hangs must not hang the check.

    Raises:
        _NoCacheError: it raises, or takes too long; or the last one is still hanging.
    """
    if (hanging := _hanging.get(alias)) is not None and hanging.is_alive():
        raise _NoCacheError
    from django.db import connections

    loop = asyncio.get_running_loop()
    answered: asyncio.Future[T] = loop.create_future()

    def tell(settle: Callable[..., None], what: object) -> None:
        if not answered.done():
            settle(what)

    def run() -> None:
        try:
            outcome = (answered.set_result, call())
        except Exception:
            # Not the error itself, which may hold the cache's address.
            outcome = (answered.set_exception, _NoCacheError())  # type: ignore[assignment]
        finally:
            # A cache in the database has opened one of this thread's own.
            connections.close_all()
        # Nobody may be waiting any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, *outcome)

    thread = threading.Thread(target=run, name="healthguard-cache", daemon=True)
    try:
        thread.start()
        async with asyncio.timeout(CACHE_SECONDS):
            return await answered
    except TimeoutError:
        _hanging[alias] = thread
        raise _NoCacheError from None
    except RuntimeError:
        # The process can start no thread.
        raise _NoCacheError from None


def _read(entry: Any) -> tuple[Verification, float] | None:
    """What another process has put there; None for anything else."""
    try:
        status, wait = entry["http_status"], entry["retry_after"]
        verification = Verification(Verdict(entry["verdict"]), str(entry["reason"]), str(entry["host"]), status, wait)
        return verification, float(entry["at"])
    except (TypeError, KeyError, ValueError):
        return None
