"""Asking a provider about a key. The key goes to the configured host and nowhere else, and into no message."""

from __future__ import annotations

import asyncio
import dataclasses
import email.utils
import math
import time
from collections.abc import Mapping

from healthguard.calling import NoAnswerError, Target, call
from healthguard.deadline import ending_in, time_left
from healthguard.providers.provider import Place, Provider
from healthguard.providers.reading import has_empty_list, read
from healthguard.providers.verdict import KNOWS_KEY, Verdict

_PAUSE_SECONDS = 0.5
MAX_RETRY_AFTER = 3600.0
"""What a provider may ask for at most (seconds): whatever it says, it is asked again some day."""


@dataclasses.dataclass(frozen=True, slots=True)
class Verification:
    """What came of asking.

    Args:
        verdict: what the answer says of the key.
        reason: how it was reached, safe to show: an HTTP status or the class of a network error.
        host: who was asked.
        http_status: the status of the answer; None if there was none.
        retry_after: how long the provider wants not to be asked (seconds); None where it does not say.
        is_empty: True if the list that shows the answer to be the provider's has no members.
    """

    verdict: Verdict
    reason: str
    host: str
    http_status: int | None = None
    retry_after: float | None = None
    is_empty: bool = False


async def verify(
    provider: Provider, key: str, *, place: Place, variable: str | None, limit: float, repeats: bool = True
) -> Verification:
    """Ask ``provider`` about ``key``.

    Args:
        provider: whose key it is.
        key: the key; one run of printable ASCII.
        place: where to ask.
        variable: where the key comes from, for providers that treat variables differently.
        limit: how long it may take in all (seconds), from the look-up of the name to the last byte.
        repeats: False to send exactly one request.

    A 401 that does not speak explicitly of the key is asked once more before it counts, a moment later.
    """
    request = provider.request_for(key, variable)
    own = request.base_url if place.base_url == provider.base_url else None
    try:
        target = Target.over_network(own or place.base_url, request.path)
    except ValueError:
        return Verification(Verdict.NOT_ASKED, "the base URL is not an http or https URL", "?")
    # A cache before the server must not give one key's answer to another: RFC 9111, 5.2.1.5.
    headers = {"cache-control": "no-store"} | {
        name: line.replace("{key}", key) for name, line in request.headers.items()
    }
    stands_in = place.is_gateway and not provider.is_gateway

    async def ask() -> tuple[Verification, bool]:
        return await _ask(provider, request.method, target, headers, limit=limit, stands_in=stands_in)

    with ending_in(limit):
        verification, is_explicit = await ask()
        if verification.verdict is Verdict.REJECTED and not is_explicit and repeats:
            await asyncio.sleep(min(_PAUSE_SECONDS, time_left(limit) / 4))
            verification, _ = await ask()
        return verification


async def _ask(
    provider: Provider, method: str, target: Target, headers: Mapping[str, str], *, limit: float, stands_in: bool
) -> tuple[Verification, bool]:
    """What the answer says, and whether it speaks explicitly of the key."""
    host = target.url.host
    try:
        answer = await call(method, target, headers, limit=time_left(limit))
    except NoAnswerError as error:
        reason = f"no answer in {limit:.1f} s" if error.is_late else error.reason
        return Verification(Verdict.DOWN, reason, host), True
    if answer.content is None:
        return Verification(Verdict.UNKNOWN, "the answer is too long", host, answer.status), True
    verdict, is_explicit = read(provider, answer.status, answer.content, stands_in=stands_in)
    is_asked_of_user = target.url.userinfo and any(name.lower() == "authorization" for name in headers)
    if is_asked_of_user and verdict in KNOWS_KEY:
        # As with the providers' own clients, there is one such line, and it tells of the user.
        return Verification(Verdict.UNKNOWN, "the URL's user was sent in the key's place", host, answer.status), True
    retry_after = _seconds(answer.headers.get("retry-after")) if answer.status in (429, 503) else None
    is_empty = verdict is Verdict.REAL and has_empty_list(provider, answer.content)
    return Verification(verdict, f"HTTP {answer.status}", host, answer.status, retry_after, is_empty), is_explicit


def _seconds(retry_after: str | None) -> float | None:
    """The seconds of a Retry-After, which may also be a date (RFC 9110, 10.2.3)."""
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return None if math.isnan(seconds) else min(max(seconds, 0.0), MAX_RETRY_AFTER)
