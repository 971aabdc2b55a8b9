"""The cached verification of a key, and of a random key if the response to the key alone would prove nothing."""

from __future__ import annotations

import asyncio
import dataclasses
import functools

from healthguard.providers.routed_key import RoutedKey
from healthguard.providers.shared_cache import cached_verification
from healthguard.providers.verdict import PROVEN, Verdict
from healthguard.providers.verdict_cache import cache_policy, last_verification
from healthguard.providers.verification import Verification, verify
from healthguard.runtime.deadline import deadline_after, time_left, wait_limit

# Statuses without information about the key: request timeout, too early, too many requests. RFC 9110, 8470, 6585.
_INCONCLUSIVE_STATUSES = frozenset({408, 425, 429})

_REFUSAL_SECONDS = 24 * 3600.0
"""The time for which a server that has rejected a random key is not sent another one (seconds)."""


async def find_verification(
    key: RoutedKey,
    *,
    ttl: float,
    limit: float,
    share: str | None = None,
    is_suspicious: bool = False,
    repeats: bool = True,
) -> tuple[Verification, bool]:
    """Return the verification of ``key``, from a cache if it is fresh, and True if the cache of the fleet worked.

    Args:
        key: the key, and the endpoint to send it to.
        ttl: the time for which the check wants a verification to be cached (seconds).
        limit: the time limit (seconds), including the time spent waiting for another call.
        share: the alias of the cache through which a fleet shares verifications; None if it does not.
        is_suspicious: True if the key does not look real, so that a response that accepts it is tested too.
        repeats: False to confirm no rejection by a second request.
    """
    request = functools.partial(
        _verify_and_test, key, ttl=ttl, limit=limit, share=share, is_suspicious=is_suspicious, repeats=repeats
    )
    policy = cache_policy(key.provider, ttl)
    return await cached_verification(key.verification_id, request, policy, limit=limit, share=share)


async def _verify_and_test(
    key: RoutedKey, *, ttl: float, limit: float, share: str | None, is_suspicious: bool, repeats: bool
) -> Verification:
    """Verify the key, and a random key if the response to the key alone would prove nothing."""
    # Part of the limit may already have been spent waiting for another call.
    with deadline_after(wait_limit(limit)):
        if not key.endpoint.can_prove_keys and _timed_out(last_verification(key.random_key_id)):
            # A slow server does not have time for two requests in sequence.
            verification, random_key = await asyncio.gather(
                verify(key, limit=limit, repeats=repeats), _verify_random_key(key, ttl=ttl, limit=limit, share=share)
            )
            needs_test = _needs_random_key(verification, is_suspicious)
            return compare_with_random_key(verification, random_key) if needs_test else verification
        verification = await verify(key, limit=limit, repeats=repeats)
        if key.endpoint.can_prove_keys or not _needs_random_key(verification, is_suspicious):
            return verification
        random_key = await _verify_random_key(key, ttl=ttl, limit=limit, share=share)
        return compare_with_random_key(verification, random_key)


async def _verify_random_key(key: RoutedKey, *, ttl: float, limit: float, share: str | None) -> Verification:
    """Return the verification of a random key. One is sufficient for all keys of the same request."""
    policy = cache_policy(key.provider, ttl)
    policy = dataclasses.replace(policy, ttl_for=_random_key_ttl, max_fleet_ttl=max(policy.fleet_ttl, _REFUSAL_SECONDS))
    request = functools.partial(verify, key.with_random_value(), limit=limit, repeats=False)
    verification, _ = await cached_verification(key.random_key_id, request, policy, limit=time_left(limit), share=share)
    return verification


def compare_with_random_key(verification: Verification, random_key: Verification) -> Verification:
    """Return the verification, with a weaker verdict if the same server accepts a random key too.

    A 2xx response to both proves nothing, unless only the random key gets an empty list. Any rejection of the random
    key proves that the server checks keys. If the server fails or limits the rate in between, the test is inconclusive.
    """
    if random_key.verdict is verification.verdict:
        is_different = (random_key.is_empty and not verification.is_empty) or (
            verification.verdict is Verdict.UNKNOWN and random_key.http_status != verification.http_status
        )
        return verification if is_different else dataclasses.replace(verification, verdict=Verdict.UNPROVEN)
    if _is_conclusive(random_key) or verification.verdict is not Verdict.VALID:
        return verification
    reason = f"{verification.reason}; for a random key: {random_key.reason}"
    return dataclasses.replace(verification, verdict=Verdict.ACCEPTED, reason=reason)


def _needs_random_key(verification: Verification, is_suspicious: bool) -> bool:
    """Return True if a response is conclusive only if a random key gets a different one.

    For a key that does not look real, that includes every response that accepts it, and any other 2xx response.
    """
    if verification.verdict is Verdict.VALID:
        return True
    is_success = verification.http_status is not None and 200 <= verification.http_status < 300
    return is_suspicious and (
        verification.verdict in PROVEN or (verification.verdict is Verdict.UNKNOWN and is_success)
    )


def _is_conclusive(random_key: Verification) -> bool:
    status = random_key.http_status
    return status is not None and status < 500 and status not in _INCONCLUSIVE_STATUSES


def _random_key_ttl(random_key: Verification, ttl: float) -> float:
    """Return the time for which the verification of a random key is cached (seconds); 0 if ``ttl`` is 0.

    A server that has rejected a random key checks keys, and may lock out clients that continue to send invalid ones.
    Other 4xx responses may come from a proxy while the server starts.
    """
    is_refused = random_key.verdict is Verdict.REJECTED or random_key.http_status in (401, 403)
    return max(ttl, _REFUSAL_SECONDS) if ttl and is_refused and random_key.verdict not in PROVEN else ttl


def _timed_out(verification: Verification | None) -> bool:
    return verification is not None and verification.verdict is Verdict.DOWN and verification.http_status is None
