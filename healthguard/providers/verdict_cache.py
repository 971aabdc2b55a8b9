"""The verdicts that this process has cached, with at most one request in flight for a key."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import threading
import time
from collections.abc import Awaitable, Callable

from healthguard.providers.provider import Provider
from healthguard.providers.verdict import CONCLUSIVE, PROVEN, Verdict
from healthguard.providers.verification import Verification
from healthguard.runtime.cache_age import TTL_JITTER, cache_age_limit

DEFAULT_TTL = 300.0
"""The default time for which a verification is cached (seconds)."""
_INCONCLUSIVE_TTL = 30.0
"""The maximum time for which a verification without information about the key is cached (seconds)."""
TRUSTED_SECONDS = 24 * 3600.0
"""The time for which the last successful verification is reported while the provider is unavailable (seconds)."""
MAX_KEYS = 1000
"""The maximum number of keys in the cache. The least recently used are removed, because keys may be rotated often."""
_POLL_INTERVAL = 0.01


@dataclasses.dataclass
class _KeyState:
    """The cached state of one key.

    Args:
        lock: the lock that is held while a request is in flight.
        last: the last verification; None if there was none.
        started_at: the time at which it was started (``time.monotonic()`` seconds).
        not_before: the earliest time of the next request (``time.monotonic()`` seconds).
        last_verified_at: the time at which the provider last accepted the key (``time.time()`` seconds); None if it
            never did, or has rejected the key since.
    """

    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    last: Verification | None = None
    started_at: float = 0.0
    not_before: float = 0.0
    last_verified_at: float | None = None


class _VerdictCache:
    """The states of the keys, by verification ID, the most recently used last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[str, _KeyState] = {}

    def state_of(self, verification_id: str) -> _KeyState:
        """Return the state of a key. It is created if necessary."""
        with self._lock:
            is_cached = verification_id in self._states
            state = self._states[verification_id] = self._states.pop(verification_id) if is_cached else _KeyState()
            if len(self._states) > MAX_KEYS:
                del self._states[next(other for other, old in self._states.items() if not old.lock.locked())]
            return state

    def clear(self) -> None:
        """Remove all states and replace the lock. A forked process lacks the threads that hold the locks."""
        self._lock = threading.Lock()
        self._states = {}


_cache = _VerdictCache()
os.register_at_fork(after_in_child=_cache.clear)


async def coalesce_verifications(
    verification_id: str,
    request: Callable[[], Awaitable[Verification]],
    *,
    ttl: float,
    limit: float,
    ttl_for: Callable[[Verification, float], float] | None = None,
) -> Verification:
    """Return the cached verification if it is fresh or the provider requested a pause; otherwise make a request.

    Concurrent calls for the same ID share one request.

    Args:
        verification_id: the ID of the verification. It is a keyed hash, because it is stored.
        request: sends the verification request.
        ttl: the time for which a verification is fresh (seconds).
        limit: the maximum time to wait for another call (seconds).
        ttl_for: returns the time for which a certain verification is fresh, given ``ttl`` (seconds);
            :func:`verdict_ttl` by default.
    """
    state = _cache.state_of(verification_id)
    called_at = time.monotonic()
    while not state.lock.acquire(blocking=False):
        if time.monotonic() - called_at > limit:
            return Verification(Verdict.DOWN, f"no response within {limit:.1f} s", "?")
        # Waiting for the lock itself would block the event loop, on which the other call may run.
        await asyncio.sleep(_POLL_INTERVAL)
    try:
        if state.last is not None and _is_fresh(state, called_at, ttl, ttl_for or verdict_ttl):
            return state.last
        started_at = time.monotonic()
        # If this is canceled, the state stays as it was.
        verification = await request()
        state.last, state.started_at = verification, started_at
        _record(state, verification)
        return verification
    finally:
        state.lock.release()


def _is_fresh(state: _KeyState, called_at: float, ttl: float, ttl_for: Callable[[Verification, float], float]) -> bool:
    now = time.monotonic()
    if state.started_at > called_at or now < state.not_before:
        return True
    assert state.last is not None
    return now - state.started_at < ttl_for(state.last, ttl)


def ttl_for_run(provider: Provider, ttl: float) -> float:
    """Return the time for which a verification is fresh in this run (seconds).

    It is shortened by the maximum jitter of a service's ttl, so that a service that runs early does not get a cached
    verification. It is 0 if the run must not use cached values.
    """
    age = cache_age_limit()
    return max(provider.ttl, min(ttl * (1 - TTL_JITTER), age)) if age else 0.0


def verdict_ttl(verification: Verification, ttl: float) -> float:
    """Return the time for which a verification is cached (seconds): a short time if it is inconclusive.

    A DNS failure in one pod, for example, must not be shared with a fleet for an hour.
    """
    return ttl if verification.verdict in CONCLUSIVE else min(ttl, _INCONCLUSIVE_TTL)


@dataclasses.dataclass(frozen=True, slots=True)
class CachePolicy:
    """The times for which a verification is cached.

    Args:
        ttl: the time in this process, before ``ttl_for`` (seconds); 0 if this run must not use cached values.
        fleet_ttl: the time in the cache that a fleet shares, before ``ttl_for`` (seconds). What a run that must not use
            cached values finds is stored for this time too.
        ttl_for: returns the time for a certain verification, given one of these times (seconds).
        max_fleet_ttl: the maximum age of an entry of the shared cache that is used (seconds).
    """

    ttl: float
    fleet_ttl: float
    ttl_for: Callable[[Verification, float], float]
    max_fleet_ttl: float


def cache_policy(provider: Provider, ttl: float) -> CachePolicy:
    """Return the policy for the verification of a key in this run.

    Args:
        provider: the provider. It may require a longer time.
        ttl: the time for which the check wants a verification to be cached (seconds).
    """
    fleet_ttl = max(ttl, provider.ttl)
    return CachePolicy(ttl_for_run(provider, ttl), fleet_ttl, verdict_ttl, fleet_ttl)


def last_verification(verification_id: str) -> Verification | None:
    """Return the last verification; None if none is cached."""
    return _cache.state_of(verification_id).last


def verification_age(verification_id: str) -> float:
    """Return the time since the last request was started (seconds); 0 if no verification is cached."""
    state = _cache.state_of(verification_id)
    return time.monotonic() - state.started_at if state.last is not None else 0.0


def last_verified_at(verification_id: str) -> float | None:
    """Return the time at which the provider last accepted the key (``time.time()`` seconds).

    Return None if it never did, or more than ``TRUSTED_SECONDS`` ago.
    """
    at = _cache.state_of(verification_id).last_verified_at
    return at if at is not None and time.time() - at < TRUSTED_SECONDS else None


def merge_shared(verification_id: str, verification: Verification, verified_at: float | None) -> None:
    """Update the time of the last successful verification from the result of another process.

    Args:
        verification_id: the ID of the verification.
        verification: the verification of the other process.
        verified_at: the time at which, according to the other process, the provider last accepted the key
            (``time.time()`` seconds); None if it never did.
    """
    state = _cache.state_of(verification_id)
    if verification.verdict is Verdict.REJECTED:
        state.last_verified_at = None
    elif verified_at is not None:
        state.last_verified_at = max(verified_at, state.last_verified_at or 0.0)


def _record(state: _KeyState, verification: Verification) -> None:
    if verification.verdict in PROVEN:
        state.last_verified_at = time.time()
    elif verification.verdict is Verdict.REJECTED:
        state.last_verified_at = None
    if verification.retry_after is not None:
        state.not_before = time.monotonic() + verification.retry_after
