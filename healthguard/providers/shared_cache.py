"""One verification for a whole fleet, through a Django cache that all of its processes share.

Without such a cache, each process has only its own (:mod:`healthguard.providers.verdict_cache`).

The process that adds the claim to the cache sends the request. After the response, the claim lasts for one ttl, and the
other processes read the stored verification. If the cache is down, slow or empty, each process sends its own request.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import math
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from healthguard.providers.entries import read_entry, write_entry
from healthguard.providers.routed_key import secret
from healthguard.providers.verdict_cache import (
    CachePolicy,
    coalesce_verifications,
    last_verified_at,
    merge_shared,
    verification_age,
)
from healthguard.providers.verification import Verification
from healthguard.runtime.cache_age import cache_age_limit
from healthguard.runtime.threads import start

T = TypeVar("T")

CACHE_SECONDS = 0.5
"""The time limit of one call of the cache (seconds)."""
_POLL_INTERVAL = 0.05
_WAITING_SHARE = 0.75
"""The part of the time limit that is spent waiting for another process. The rest is for a request of this process."""


@dataclasses.dataclass
class _CacheCall:
    """A call of a cache, in flight or finished."""

    is_finished: bool = False


# The calls that exceeded their time limit, by cache alias. While one is in flight, its cache is not called again.
_stuck_calls: dict[str, _CacheCall] = {}
os.register_at_fork(after_in_child=_stuck_calls.clear)


class _CacheUnavailableError(Exception):
    """A call of the cache failed or timed out."""


async def cached_verification(
    verification_id: str,
    request: Callable[[], Awaitable[Verification]],
    policy: CachePolicy,
    *,
    limit: float,
    share: str | None = None,
) -> tuple[Verification, bool]:
    """Return the verification of a key from a cache, or request one and store it.

    Args:
        verification_id: the ID of the verification. It is a keyed hash, because everyone with access to the cache can
            read it.
        request: sends the verification request.
        policy: the times for which the verification is cached.
        limit: the maximum time to wait for the result of another call or process (seconds).
        share: the alias of the cache in CACHES that a fleet shares; None to use only the cache of this process.

    Returns:
        The verification, and True if the cache of the fleet worked.
    """
    request_once = functools.partial(
        coalesce_verifications, verification_id, request, ttl=policy.ttl, limit=limit, ttl_for=policy.ttl_for
    )
    shared = _cache_at(share)
    if shared is None:
        return await request_once(), False
    try:
        stored = await _read_or_claim(shared, verification_id, policy, limit)
    except _CacheUnavailableError:
        return await request_once(), False
    if stored is not None:
        verification, verified_at = stored
        merge_shared(verification_id, verification, verified_at)
        return verification, True
    verification = await request_once()
    try:
        await _store(shared, verification_id, verification, policy)
    except _CacheUnavailableError:
        return verification, False
    return verification, True


@dataclasses.dataclass(frozen=True)
class _SharedCache:
    """A cache of CACHES and its alias."""

    alias: str
    cache: Any


def _cache_at(alias: str | None) -> _SharedCache | None:
    """Return the cache that a fleet shares; None if there is none, or if it cannot be used."""
    # Without SECRET_KEY, anyone could sign an entry.
    if alias is None or not secret():
        return None
    # Imported here so that Django's caches are loaded only if a key is shared.
    from healthguard.providers.text_caches import text_cache

    try:
        return _SharedCache(alias, text_cache(alias))
    except Exception:
        return None


def _names(verification_id: str) -> tuple[str, str]:
    """Return the names of the entry and of the claim."""
    entry_name = f"healthguard:key:{verification_id}"
    return entry_name, f"{entry_name}:claim"


async def _read_or_claim(
    shared: _SharedCache, verification_id: str, policy: CachePolicy, limit: float
) -> tuple[Verification, float | None] | None:
    """Return the verification that another process has stored, and when the provider last accepted the key.

    Return None if this process must send a request: it has made the claim, it has waited long enough, or the run must
    not use cached values.

    Raises:
        _CacheUnavailableError: the cache failed or did not respond.
    """
    entry_name, claim_name = _names(verification_id)
    # Leave time for a request of this process, in case no other process stores a result.
    ends_at = time.monotonic() + limit * _WAITING_SHARE
    # The claim expires after the time limit of a request, so that a process that dies does not block the others.
    while cache_age_limit() and not await _call_cache(
        shared.alias, lambda: shared.cache.add(claim_name, 1, timeout=math.ceil(limit) or 1)
    ):
        content = await _call_cache(shared.alias, lambda: shared.cache.get(entry_name))
        stored = read_entry(verification_id, content, policy.max_fleet_ttl)
        if stored is not None:
            return stored
        if time.monotonic() + _POLL_INTERVAL >= ends_at:
            break
        await asyncio.sleep(_POLL_INTERVAL)
    return None


async def _store(shared: _SharedCache, verification_id: str, verification: Verification, policy: CachePolicy) -> None:
    """Store a verification for the fleet, and extend the claim to the same time.

    Raises:
        _CacheUnavailableError: the cache failed or did not respond.
    """
    entry_name, claim_name = _names(verification_id)
    ttl = policy.ttl_for(verification, policy.fleet_ttl)
    # Redis and Memcached support only whole seconds.
    seconds = math.ceil(max(ttl - verification_age(verification_id), verification.pause_left))
    entry = write_entry(verification_id, verification, last_verified_at(verification_id), seconds)
    # Both expire by the cache's clock. The entry is stored first, so that it does not outlive the claim.
    await _call_cache(shared.alias, lambda: shared.cache.set(entry_name, entry, timeout=seconds))
    await _call_cache(shared.alias, lambda: shared.cache.set(claim_name, 1, timeout=seconds))


async def _call_cache(alias: str, call: Callable[[], T]) -> T:
    """Return the result of ``call``, which runs on a separate thread so that a cache that hangs cannot block the check.

    Raises:
        _CacheUnavailableError: the call failed or timed out, or an earlier call is still stuck.
    """
    if (stuck := _stuck_calls.get(alias)) is not None and not stuck.is_finished:
        raise _CacheUnavailableError
    from django.db import connections

    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(setter: Callable[..., None], value: object) -> None:
        if not result.done():
            setter(value)

    def run() -> None:
        try:
            outcome = (result.set_result, call())
        except BaseException:
            # The error itself is dropped, because it may contain the address of the cache.
            outcome = (result.set_exception, _CacheUnavailableError())  # type: ignore[assignment]
        # The event loop may be closed by now.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, *outcome)
        # A database cache has opened a connection on this thread. Errors in closing it are irrelevant.
        with contextlib.suppress(Exception):
            connections.close_all()
        cache_call.is_finished = True

    cache_call = _CacheCall()
    try:
        start(run, "healthguard-cache")
        async with asyncio.timeout(CACHE_SECONDS):
            return await result
    except TimeoutError:
        _stuck_calls[alias] = cache_call
        raise _CacheUnavailableError from None
    except RuntimeError:
        # The process cannot start a thread.
        raise _CacheUnavailableError from None
