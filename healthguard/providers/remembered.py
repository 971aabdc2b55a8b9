"""What this process knows of the keys that it has asked about: one call at a time, and none before its time."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import threading
import time
from collections.abc import Awaitable, Callable

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from healthguard import values
from healthguard.freshness import SPREAD, max_age
from healthguard.providers.provider import Place, Provider
from healthguard.providers.verdict import KNOWS_KEY, TELLS_OF_KEY, Verdict
from healthguard.providers.verification import Verification

DEFAULT_TTL = 300.0
"""How long an answer about a key is held where nobody says otherwise (seconds)."""
_BRIEFLY = 30.0
TRUSTED_SECONDS = 24 * 3600.0
"""How long a good verification is told of while the provider is in trouble (seconds)."""
MAX_KEYS = 1000
"""Of how many keys something is remembered; of more, for they are made anew all the time, of those used last."""
_TURN_SECONDS = 0.01


@dataclasses.dataclass
class _Known:
    """One key's state.

    Args:
        lock: held by who asks.
        last: what came of asking last.
        began: when that was begun (``time.monotonic()`` seconds).
        not_before: when the provider may be asked again (``time.monotonic()`` seconds).
        good_at: when the provider last knew the key (``time.time()`` seconds); None if it has rejected it since, or
            never knew it.
    """

    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    last: Verification | None = None
    began: float = 0.0
    not_before: float = 0.0
    good_at: float | None = None


class _Memory:
    """The keys' states, by their names, those used last at the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}

    def of(self, name: str) -> _Known:
        """The state of a key; a new one for a key that was not asked about."""
        with self._lock:
            known = self._known[name] = self._known.pop(name) if name in self._known else _Known()
            if len(self._known) > MAX_KEYS:
                del self._known[next(other for other, state in self._known.items() if not state.lock.locked())]
            return known

    def forget(self) -> None:
        """Forget all of them. A process that was forked has none of the threads that hold their locks."""
        self._lock = threading.Lock()
        self._known = {}


_memory = _Memory()
os.register_at_fork(after_in_child=_memory.forget)


async def asked_once(
    name: str,
    ask: Callable[[], Awaitable[Verification]],
    *,
    hold: float,
    limit: float,
    holds: Callable[[Verification, float], float] | None = None,
) -> Verification:
    """What ``ask`` gives; or, where it was given not long ago, or while backing off, what it gave last.

    Args:
        name: tells the keys apart; a keyed hash, for it is kept.
        ask: asks the provider.
        hold: for how long the last answer is good enough (seconds).
        limit: how long to wait for another call (seconds).
        holds: gives, for an answer and ``hold``, how long that answer is good enough (seconds); None for :func:`held`.
    """
    known = _memory.of(name)
    came = time.monotonic()
    while not known.lock.acquire(blocking=False):
        if time.monotonic() - came > limit:
            return Verification(Verdict.DOWN, f"no answer in {limit:.1f} s", "?")
        # Not the lock's own wait, which would stop the loop: the other call may be on it.
        await asyncio.sleep(_TURN_SECONDS)
    try:
        if known.last is not None and _is_good_enough(known, came, hold, holds or held):
            return known.last
        began = time.monotonic()
        # It may be cancelled: then nothing is known that was not before.
        verification = await ask()
        known.last, known.began = verification, began
        _note(known, verification)
        return verification
    finally:
        known.lock.release()


def _is_good_enough(known: _Known, came: float, hold: float, holds: Callable[[Verification, float], float]) -> bool:
    now = time.monotonic()
    if known.began > came or now < known.not_before:
        return True
    assert known.last is not None
    return now - known.began < holds(known.last, hold)


def last_of(name: str) -> Verification | None:
    """Return what came of asking last; None if nothing is remembered."""
    return _memory.of(name).last


def hold_of(provider: Provider, ttl: float) -> float:
    """For how long an answer about a key is good enough for this run (seconds); a service asks a little before."""
    age = max_age()
    return max(provider.ttl, min(ttl * (1 - SPREAD), age)) if age else 0.0


def name_of(provider: Provider, place: Place, key: str, variable: str | None, *, is_for_any_key: bool = False) -> str:
    """Return the name of a question: a hash of the key, and of all that it is asked with.

    Args:
        provider: how it is asked.
        place: where it is asked.
        key: the key.
        variable: where the key comes from.
        is_for_any_key: True for a name that is the same for all keys that are asked about in the same way.
    """
    request = provider.request_for(key, variable)
    asked = (place.base_url, request.method, request.base_url, request.path, sorted(request.headers.items()))
    how = (provider.proofs, provider.answers, provider.is_gateway, place.is_gateway)
    declared = () if provider.unknown_keys == "tested" else (provider.unknown_keys,)
    if is_for_any_key:
        return values.keyed_hash(f"{(asked, *how)!r}", secret(), purpose="any key")
    question = (provider.name, asked, *how, *declared)
    return values.keyed_hash(f"{question!r}\0{key}", secret(), purpose="key")


def secret() -> str:
    """What the hashes of keys are keyed with: SECRET_KEY; nothing where there is none."""
    try:
        return str(settings.SECRET_KEY)
    except (ImproperlyConfigured, AttributeError):
        return ""


def held(verification: Verification, ttl: float) -> float:
    """For how long what came of asking is held (seconds): briefly, where it says nothing of the key.

    That a name cannot be looked up in one pod is not to be told to a fleet for an hour.
    """
    return ttl if verification.verdict in TELLS_OF_KEY else min(ttl, _BRIEFLY)


def age(name: str) -> float:
    """How long ago the provider was asked last (seconds); 0 if nothing is known of it any more."""
    known = _memory.of(name)
    return time.monotonic() - known.began if known.last is not None else 0.0


def good_at(name: str) -> float | None:
    """When the provider last knew the key (``time.time()`` seconds); None if that is too long ago, or never was."""
    at = _memory.of(name).good_at
    return at if at is not None and time.time() - at < TRUSTED_SECONDS else None


def learn(name: str, verification: Verification, at: float | None) -> None:
    """Take over what another process has found, which knows of the key as good at ``at`` (``time.time()`` seconds)."""
    known = _memory.of(name)
    if verification.verdict is Verdict.REJECTED:
        known.good_at = None
    elif at is not None:
        known.good_at = max(at, known.good_at or 0.0)


def _note(known: _Known, verification: Verification) -> None:
    if verification.verdict in KNOWS_KEY:
        known.good_at = time.time()
    elif verification.verdict is Verdict.REJECTED:
        known.good_at = None
    if verification.retry_after is not None:
        known.not_before = time.monotonic() + verification.retry_after
