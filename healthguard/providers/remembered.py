"""What this process knows of the keys that it has asked about: one call at a time, and none while it must wait."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import threading
import time
from collections.abc import Awaitable, Callable

from healthguard.providers.verdict import Verdict
from healthguard.providers.verification import Verification

KNOWS_KEY = frozenset({Verdict.REAL, Verdict.RESTRICTED, Verdict.NO_FUNDS})
"""The verdicts that show that the provider knows the key."""
TRUSTED_SECONDS = 24 * 3600.0
"""How long a good verification is told of while the provider is in trouble (seconds)."""
_TURN_SECONDS = 0.01


@dataclasses.dataclass
class _Known:
    """One key's state.

    Args:
        lock: held by who asks.
        last: what came of asking last.
        began: when that was begun (``time.monotonic()`` seconds).
        not_before: when the provider may be asked again (``time.monotonic()`` seconds).
        good_at: when the provider last knew the key (``time.time()`` seconds); None if it never did.
    """

    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    last: Verification | None = None
    began: float = 0.0
    not_before: float = 0.0
    good_at: float | None = None


_known: dict[str, _Known] = {}
# A process that was forked has none of the threads that hold these locks.
os.register_at_fork(after_in_child=_known.clear)


async def asked_once(name: str, ask: Callable[[], Awaitable[Verification]], *, limit: float) -> Verification:
    """What ``ask`` gives; what another call gives that began later than this one; or, while backing off, the last.

    Args:
        name: tells the keys apart; a keyed hash, for it is kept.
        ask: asks the provider.
        limit: how long to wait for another call (seconds).
    """
    known = _of(name)
    came = time.monotonic()
    while not known.lock.acquire(blocking=False):
        if time.monotonic() - came > limit:
            return Verification(Verdict.DOWN, f"no answer in {limit:.1f} s", "?")
        # Not the lock's own wait, which would stop the loop: the other call may be on it.
        await asyncio.sleep(_TURN_SECONDS)
    try:
        if known.last is not None and (known.began > came or time.monotonic() < known.not_before):
            return known.last
        known.began = time.monotonic()
        known.last = verification = await ask()
        _note(known, verification)
        return verification
    finally:
        known.lock.release()


def good_at(name: str) -> float | None:
    """When the provider last knew the key (``time.time()`` seconds); None if that is too long ago, or never was."""
    at = _of(name).good_at
    return at if at is not None and time.time() - at < TRUSTED_SECONDS else None


def learn(name: str, verification: Verification, at: float) -> None:
    """Take over what another process has found at ``at`` (``time.time()`` seconds)."""
    known = _of(name)
    if verification.verdict in KNOWS_KEY and at > (known.good_at or 0.0):
        known.good_at = at


def _of(name: str) -> _Known:
    return _known.setdefault(name, _Known())


def _note(known: _Known, verification: Verification) -> None:
    if verification.verdict in KNOWS_KEY:
        known.good_at = time.time()
    if verification.retry_after is not None:
        known.not_before = time.monotonic() + verification.retry_after
