"""The verification of a key. The key is sent only to the configured host and appears in no message."""

from __future__ import annotations

import asyncio
import dataclasses
import email.utils
import math
import time

from healthguard.http_client import EndpointResponse, Target, TransportError, call
from healthguard.providers.reading import has_empty_list, read_verdict
from healthguard.providers.routed_key import RoutedKey
from healthguard.providers.verdict import PROVEN, Verdict
from healthguard.runtime.deadline import deadline_after, time_left

_PAUSE_SECONDS = 0.5
"""The pause before a rejection is confirmed by a second request (seconds)."""
MAX_RETRY_AFTER = 3600.0
"""The maximum Retry-After that is respected (seconds), so that no response can stop verification forever."""


@dataclasses.dataclass(frozen=True, slots=True)
class Verification:
    """The result of a verification.

    Args:
        verdict: the verdict about the key.
        reason: the reason for the verdict: an HTTP status or the class of a network error. It is safe to show.
        host: the host to which the request was sent.
        http_status: the status of the response; None if there was none.
        retry_after: the time for which the provider requested no further requests (seconds); None if it did not.
        is_empty: True if the success fields of the response are lists and all of them are empty.
        answered_at: the time of the response, if the provider requested a pause (``time.time()`` seconds).
    """

    verdict: Verdict
    reason: str
    host: str
    http_status: int | None = None
    retry_after: float | None = None
    is_empty: bool = False
    answered_at: float | None = None

    @property
    def pause(self) -> tuple[float, float] | None:
        """The times of the response and of the next request (``time.time()`` seconds), if there is a pause between."""
        if not self.retry_after or self.answered_at is None:
            return None
        return self.answered_at, self.answered_at + self.retry_after

    @property
    def pause_left(self) -> float:
        """The rest of the pause (seconds)."""
        return 0.0 if self.pause is None else min(max(self.pause[1] - time.time(), 0.0), MAX_RETRY_AFTER)


async def verify(key: RoutedKey, *, limit: float, repeats: bool = True) -> Verification:
    """Send a verification request and return the result.

    A 401 that does not refer explicitly to the key is confirmed by a second request, a moment later.

    Args:
        key: the key, and the endpoint to send it to.
        limit: the time limit for everything from name resolution to the last byte (seconds), if no deadline is set.
            Otherwise, the deadline applies.
        repeats: False to send exactly one request.
    """
    request, endpoint = key.request, key.endpoint
    request_base_url = request.base_url if endpoint.base_url == key.provider.base_url else None
    try:
        target = Target.over_network(request_base_url or endpoint.base_url, request.path)
    except ValueError:
        return Verification(Verdict.NOT_ASKED, "the base URL is not an http or https URL", "?")
    # A cache in front of the server must not reuse the response to another key: RFC 9111, 5.2.1.5.
    headers = {"cache-control": "no-store"} | {
        name: line.replace("{key}", key.value) for name, line in request.headers.items()
    }
    limit = time_left(limit)
    with deadline_after(limit):
        while True:
            try:
                response = await call(request.method, target, headers, limit=time_left(limit))
            except TransportError as error:
                reason = f"no response within {limit:.1f} s" if error.is_late else error.reason
                return Verification(Verdict.DOWN, reason, target.url.host)
            verification, is_explicit = _verification_from(response, key, target)
            if verification.verdict is not Verdict.REJECTED or is_explicit or not repeats:
                return verification
            repeats = False
            await asyncio.sleep(min(_PAUSE_SECONDS, time_left(limit) / 4))


def _verification_from(response: EndpointResponse, key: RoutedKey, target: Target) -> tuple[Verification, bool]:
    """Return the verification that a response means, and True if the response refers explicitly to the key."""
    host = target.url.host
    if response.content is None:
        return Verification(Verdict.UNKNOWN, "the response is too long", host, response.status), True
    provider = key.provider
    is_via_gateway = key.endpoint.is_gateway and not provider.is_gateway
    verdict, is_explicit = read_verdict(provider, response.status, response.content, is_via_gateway=is_via_gateway)
    sends_user = target.url.userinfo and any(name.lower() == "authorization" for name in key.request.headers)
    if sends_user and verdict in PROVEN:
        # As in the providers' clients, basic auth replaces the Authorization header, so the verdict is about the user.
        reason = "the user of the base URL was sent instead of the key"
        return Verification(Verdict.UNKNOWN, reason, host, response.status), True
    retry_after = _seconds(response.headers.get("retry-after")) if response.status in (429, 503) else None
    is_empty = verdict is Verdict.VALID and has_empty_list(provider, response.content)
    answered_at = None if retry_after is None else time.time()
    reason = f"HTTP {response.status}"
    return Verification(verdict, reason, host, response.status, retry_after, is_empty, answered_at), is_explicit


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds of a Retry-After header; None if it is invalid. It may be a date (RFC 9110, 10.2.3)."""
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
