"""Asking a provider about a key. The key goes to the configured host and nowhere else, and into no message."""

from __future__ import annotations

import asyncio
import dataclasses
import email.utils
import math
import socket
import time
from typing import TYPE_CHECKING

from healthguard.calling import Target
from healthguard.calling.answer import acapped
from healthguard.calling.network import certificates
from healthguard.providers.provider import Provider, Request
from healthguard.providers.reading import read
from healthguard.providers.verdict import Verdict
from healthguard.version import __version__

if TYPE_CHECKING:
    import httpx

# Groq's edge, for one, refuses well-known defaults of HTTP libraries.
# Compression is declined because the cap on the body would have to count what it unfolds to.
_HEADERS = {"user-agent": f"healthguard/{__version__}", "accept": "application/json", "accept-encoding": "identity"}
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
    """

    verdict: Verdict
    reason: str
    host: str
    http_status: int | None = None
    retry_after: float | None = None


async def verify(provider: Provider, key: str, *, base_url: str, variable: str | None, limit: float) -> Verification:
    """Ask ``provider`` about ``key``.

    Args:
        provider: whose key it is.
        key: the key; one run of printable ASCII.
        base_url: where to ask.
        variable: where the key comes from, for providers that treat variables differently.
        limit: how long it may take in all (seconds), from the look-up of the name to the last byte.

    A 401 that does not speak explicitly of the key is asked once more before it counts.
    """
    import httpx

    request = provider.request_for(key, variable)
    if request.base_url is not None and base_url == provider.base_url:
        base_url = request.base_url
    try:
        url, auth = _target(base_url, request.path)
    except (httpx.InvalidURL, ValueError):
        return Verification(Verdict.NOT_ASKED, "the base URL is not an http or https URL", "?")
    headers = {name: line.format(key=key) for name, line in request.headers.items()}
    try:
        # One limit for all of it, for a server that sends a byte a second keeps every single wait short.
        async with (
            asyncio.timeout(limit),
            httpx.AsyncClient(
                follow_redirects=False, headers=_HEADERS, auth=auth, timeout=limit, verify=certificates()
            ) as client,
        ):
            verification, is_explicit = await _ask(client, provider, request, url, headers)
            if verification.verdict is Verdict.REJECTED and not is_explicit:
                verification, _ = await _ask(client, provider, request, url, headers)
            return verification
    except TimeoutError:
        return Verification(Verdict.DOWN, f"no answer in {limit:.1f} s", url.host)
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, ValueError) as error:
        return Verification(Verdict.DOWN, _reason(error), url.host)
    except ImportError:
        return Verification(Verdict.DOWN, "the environment's SOCKS proxy needs httpx[socks]", url.host)


def _reason(error: BaseException) -> str:
    """What is wrong with the network. Of the error only its class: the text of h11's can hold a whole header line."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME:
            return "no such host name"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def _target(base_url: str, path: str) -> tuple[httpx.URL, tuple[str, str] | None]:
    """The URL to ask, and what was written into it as user and password: httpx logs URLs whole."""
    target = Target.of(base_url)
    if target.is_inside:
        raise ValueError("not an http or https URL")
    given = target.url
    auth = (given.username, given.password) if given.userinfo else None
    path, _, query = path.partition("?")
    place = given.path.rstrip("/") + path
    return given.copy_with(userinfo=b"", query=query.encode() or None, fragment=None, path=place), auth


async def _ask(
    client: httpx.AsyncClient, provider: Provider, request: Request, url: httpx.URL, headers: dict[str, str]
) -> tuple[Verification, bool]:
    async with client.stream(request.method, url, headers=headers) as response:
        content = await acapped(response.aiter_bytes())
    if content is None:
        return Verification(Verdict.UNKNOWN, "the answer is too long", url.host, response.status_code), True
    verdict, is_explicit = read(provider, response.status_code, content)
    retry_after = _seconds(response.headers.get("retry-after")) if response.status_code in (429, 503) else None
    reason = f"HTTP {response.status_code}"
    return Verification(verdict, reason, url.host, response.status_code, retry_after), is_explicit


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
