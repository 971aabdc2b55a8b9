"""One verification for a whole fleet, through a Django cache that all of its processes share.

Who gets to put the claim into the cache asks the provider; once it has told, the claim lasts for one ttl. The
others read what was found. A cache that is down, slow or empty costs no more than that each process asks for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from healthguard.freshness import max_age
from healthguard.providers.entries import read_entry, write_entry
from healthguard.providers.remembered import age, good_at, held, learn, secret
from healthguard.providers.verification import Verification
from healthguard.threads import start

T = TypeVar("T")

CACHE_SECONDS = 0.5
"""How long one call of the cache may take (seconds)."""
_TURN_SECONDS = 0.05
_WAITING_SHARE = 0.75


@dataclasses.dataclass
class _Asking:
    """A call of a cache that is under way, or over."""

    is_over: bool = False


# The calls that have not come back in time, by the cache's alias: while there is one, that cache is not asked.
_hanging: dict[str, _Asking] = {}
os.register_at_fork(after_in_child=_hanging.clear)


class _NoCacheError(Exception):
    """The cache cannot be asked."""


async def shared(
    alias: str,
    name: str,
    ask: Callable[[], Awaitable[Verification]],
    *,
    ttl: float,
    limit: float,
    holds: Callable[[Verification, float], float] = held,
    longest: float | None = None,
) -> tuple[Verification, bool]:
    """What the fleet knows of a key; or what ``ask`` gives, if it is this process's turn or the cache is of no help.

    Args:
        alias: the cache's, in CACHES.
        name: tells the keys apart: a keyed hash, for it is seen by whoever sees the cache.
        ask: asks the provider, and remembers what it said.
        ttl: for how long nobody else asks (seconds).
        limit: how long to wait for what another process is about to find (seconds).
        holds: gives, for an answer and ``ttl``, how long that answer is good enough (seconds).
        longest: the longest time that it gives (seconds); ``ttl`` by default.

    Returns:
        that, and whether the cache did its part.
    """
    if not secret():
        # Without SECRET_KEY anybody could sign an entry.
        return await ask(), False
    # Not at the top: Django's caches are loaded only where a key is shared.
    from healthguard.providers.text_caches import text_cache

    try:
        cache = text_cache(alias)
    except Exception:
        return await ask(), False
    return await _shared_through(cache, alias, name, ask, ttl=ttl, limit=limit, holds=holds, longest=longest or ttl)


async def _shared_through(
    cache: Any,
    alias: str,
    name: str,
    ask: Callable[[], Awaitable[Verification]],
    *,
    ttl: float,
    limit: float,
    holds: Callable[[Verification, float], float],
    longest: float,
) -> tuple[Verification, bool]:
    key = f"healthguard:key:{name}"
    claim = f"{key}:claim"
    # The rest is for asking, should nobody have found anything.
    ends = time.monotonic() + limit * _WAITING_SHARE
    try:
        # For as long as asking may take, so that who dies in the middle of it stands in nobody's way.
        while max_age() and not await _call(alias, lambda: cache.add(claim, 1, timeout=math.ceil(limit) or 1)):
            found = read_entry(name, await _call(alias, lambda: cache.get(key)), longest)
            if found is not None:
                learn(name, *found)
                return found[0], True
            if time.monotonic() + _TURN_SECONDS >= ends:
                break
            await asyncio.sleep(_TURN_SECONDS)
    except _NoCacheError:
        return await ask(), False
    verification = await ask()
    # Of Redis's and Memcached's seconds there are only whole ones.
    wait = math.ceil(max(holds(verification, ttl) - age(name), verification.retry_after or 0.0))
    entry = write_entry(name, verification, good_at(name), wait)
    try:
        # Both go by the cache's own clock, the finding first: where it has gone, the claim is about to.
        await _call(alias, lambda: cache.set(key, entry, timeout=wait))
        await _call(alias, lambda: cache.set(claim, 1, timeout=wait))
    except _NoCacheError:
        return verification, False
    return verification, True


async def _call(alias: str, call: Callable[[], T]) -> T:
    """What ``call`` gives, on a thread of its own: a cache that hangs must not hang the check.

    Raises:
        _NoCacheError: it raises, or takes too long; or the last one is still hanging.
    """
    if (hanging := _hanging.get(alias)) is not None and not hanging.is_over:
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
        except BaseException:
            # Not the error itself, which may hold the cache's address.
            outcome = (answered.set_exception, _NoCacheError())  # type: ignore[assignment]
        # Nobody may be waiting any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, *outcome)
        # A cache in the database has opened one of this thread's own. What it raises is of no more use to anybody.
        with contextlib.suppress(Exception):
            connections.close_all()
        asking.is_over = True

    asking = _Asking()
    try:
        start(run, "healthguard-cache")
        async with asyncio.timeout(CACHE_SECONDS):
            return await answered
    except TimeoutError:
        _hanging[alias] = asking
        raise _NoCacheError from None
    except RuntimeError:
        # The process can start no thread.
        raise _NoCacheError from None
