"""Asking about a key, and about a random one where the answer alone would prove nothing."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import re
import secrets

from healthguard.deadline import ending_in, time_left, wait_limit
from healthguard.providers.provider import Place, Provider
from healthguard.providers.remembered import asked_once, hold_of, last_of, name_of
from healthguard.providers.sharing import shared
from healthguard.providers.verdict import KNOWS_KEY, Verdict
from healthguard.providers.verification import Verification, verify

_BLANK = re.compile(r"\{(\d{1,3})\}")
_RANDOM = "{48}"
# Nothing about the key: it took too long, came too early, or was one of too many. RFC 9110, RFC 6585, RFC 8470.
_PASSING = frozenset({408, 425, 429})

_REFUSAL_SECONDS = 24 * 3600.0
"""The time for which a server that has refused a random key is sent no other (seconds)."""


async def asked_about(
    name: str,
    provider: Provider,
    key: str,
    *,
    place: Place,
    variable: str | None,
    ttl: float,
    limit: float,
    share: str | None = None,
    is_doubtful: bool = False,
) -> Verification:
    """Return what ``provider`` answers about ``key``, or answered a short while ago.

    Args:
        name: the question's, of :func:`~healthguard.providers.remembered.name_of`.
        provider: whose key it is.
        key: the key.
        place: where to ask.
        variable: where the key comes from.
        ttl: how long the check wants an answer held (seconds).
        limit: how long to wait (seconds), for another call too.
        share: the alias of a cache through which a fleet shares what came of a random key.
        is_doubtful: True if the looks speak against the key, so that an answer that claims to know it is tested too.
    """
    # One random key for all keys that this server is asked about in the same way.
    test = name_of(provider, place, key, variable, is_for_any_key=True)

    async def ask_about(text: str, *, repeats: bool = True) -> Verification:
        return await verify(provider, text, place=place, variable=variable, limit=time_left(limit), repeats=repeats)

    async def ask_about_sample() -> Verification:
        once = functools.partial(
            asked_once,
            test,
            functools.partial(ask_about, sample_of(provider, key, variable), repeats=False),
            hold=hold_of(provider, ttl),
            limit=time_left(limit),
            holds=_held_sample,
        )
        if share is None:
            return await once()
        hold = max(ttl, provider.ttl)
        longest = max(hold, _REFUSAL_SECONDS)
        sample, _ = await shared(
            share, test, once, ttl=hold, limit=time_left(limit), holds=_held_sample, longest=longest
        )
        return sample

    async def ask() -> Verification:
        # Another call may have been waited for.
        with ending_in(wait_limit(limit)):
            if not place.proves and _came_late(last_of(test)):
                # A slow server has no time for two requests one after the other.
                verification, sample = await asyncio.gather(ask_about(key), ask_about_sample())
                return compared(verification, sample) if _is_tested(verification, is_doubtful) else verification
            verification = await ask_about(key)
            if place.proves or not _is_tested(verification, is_doubtful):
                return verification
            return compared(verification, await ask_about_sample())

    return await asked_once(name, ask, hold=hold_of(provider, ttl), limit=limit)


def compared(verification: Verification, sample: Verification) -> Verification:
    """Return what ``verification`` is worth, given what the same server says of a random key.

    A 2xx for both shows nothing, unless only the random key gets an empty list. A random key that is refused, in
    whatever way, shows that keys are checked. A server that is in trouble meanwhile, or limits the rate, leaves the
    question open.
    """
    if sample.verdict is verification.verdict:
        is_another = (sample.is_empty and not verification.is_empty) or (
            verification.verdict is Verdict.UNKNOWN and sample.http_status != verification.http_status
        )
        return verification if is_another else dataclasses.replace(verification, verdict=Verdict.UNPROVEN)
    if _is_answer(sample) or verification.verdict is not Verdict.REAL:
        return verification
    reason = f"{verification.reason}; for a random key: {sample.reason}"
    return dataclasses.replace(verification, verdict=Verdict.ACCEPTED, reason=reason)


def _is_tested(verification: Verification, is_doubtful: bool) -> bool:
    """Return True if an answer counts only if a random key gets another.

    If the looks speak against the key, that is every answer that would refute them, and a 2xx of any other form.
    """
    if verification.verdict is Verdict.REAL:
        return True
    is_success = verification.http_status is not None and 200 <= verification.http_status < 300
    return is_doubtful and (
        verification.verdict in KNOWS_KEY or (verification.verdict is Verdict.UNKNOWN and is_success)
    )


def _is_answer(sample: Verification) -> bool:
    return sample.http_status is not None and sample.http_status < 500 and sample.http_status not in _PASSING


def _held_sample(sample: Verification, hold: float) -> float:
    """Return how long what came of a random key is held (seconds); 0 where nothing is.

    A server that has refused one checks keys, and may lock out whoever goes on to send it wrong ones. Another 4xx may
    be one of a proxy while the server starts.
    """
    is_refused = sample.verdict is Verdict.REJECTED or sample.http_status in (401, 403)
    return max(hold, _REFUSAL_SECONDS) if hold and is_refused and sample.verdict not in KNOWS_KEY else hold


def sample_of(provider: Provider, key: str, variable: str | None) -> str:
    """Return a random key that is asked about as ``key`` is: of the same kind, and of the provider's form."""
    request = provider.request_for(key, variable)
    kinds = (f"{prefix}{_RANDOM}" for prefix in provider.requests_by_prefix if key.startswith(prefix))
    for specimen in (*provider.specimens, *kinds):
        sample = _BLANK.sub(lambda match: secrets.token_hex(int(match[1]))[: int(match[1])], specimen)
        if _BLANK.search(specimen) and provider.request_for(sample, variable) == request:
            return sample
    return secrets.token_hex(24)


def _came_late(sample: Verification | None) -> bool:
    return sample is not None and sample.verdict is Verdict.DOWN and sample.http_status is None
