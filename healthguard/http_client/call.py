"""A single HTTP call with a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from healthguard.http_client.in_process import call_in_process
from healthguard.http_client.network import call_over_network
from healthguard.http_client.response import EndpointResponse, TransportError, decompress
from healthguard.http_client.target import Target
from healthguard.runtime.version import __version__

if TYPE_CHECKING:
    import ssl

# Some edge servers, such as Groq's, refuse the well-known default headers of HTTP libraries.
# Compression is declined because the limit on the body would have to count decompressed bytes.
_HEADERS = {
    "user-agent": f"healthguard/{__version__}",
    "accept": "application/json, */*;q=0.5",
    "accept-encoding": "identity",
}


async def call(
    method: str,
    target: Target,
    headers: Mapping[str, str],
    content: bytes | None = None,
    *,
    limit: float,
    trusted: ssl.SSLContext | None = None,
) -> EndpointResponse:
    """Send one request to ``target`` and return the response. Redirects are not followed.

    Args:
        method: the HTTP method.
        target: the destination.
        headers: the headers to send in addition to healthguard's own, or in place of them.
        content: the body to send, as JSON, or None.
        limit: the limit for the whole call (seconds), from the name lookup to the last byte.
        trusted: the certificates to trust; None for those of the environment.

    Raises:
        TransportError: the call receives no response, or none within the limit.
    """
    import httpx

    request_headers = httpx.Headers(_HEADERS)
    if content is not None:
        request_headers["content-type"] = "application/json"
    try:
        request_headers.update(headers)
    except ValueError:
        # Raise without the original error, which contains the value.
        raise TransportError("a header cannot be sent") from None
    try:
        # Limit the whole call: a server that sends one byte per second keeps every single wait short.
        async with asyncio.timeout(limit):
            if target.is_in_process:
                return decompress(await call_in_process(method, target.url, request_headers, content, limit))
            return decompress(
                await call_over_network(method, target.url, request_headers, content, limit=limit, trusted=trusted)
            )
    except TimeoutError:
        raise TransportError(f"no response within {limit:.1f} s", is_late=True) from None
