"""Making a call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from healthguard.calling.answer import Answer, NoAnswerError, unfolded
from healthguard.calling.inside import call_inside
from healthguard.calling.network import call_over_network
from healthguard.calling.target import Target
from healthguard.version import __version__

# Some edges, Groq's for one, refuse well-known defaults of HTTP libraries.
# Compression is declined because the cap on the body would have to count what it unfolds to.
_HEADERS = {
    "user-agent": f"healthguard/{__version__}",
    "accept": "application/json, */*;q=0.5",
    "accept-encoding": "identity",
}


async def call(
    method: str, target: Target, headers: Mapping[str, str], content: bytes | None = None, *, limit: float
) -> Answer:
    """Call ``target`` once, and follow no redirect.

    Args:
        method: the HTTP method.
        target: where to.
        headers: what is sent beside, or in place of, healthguard's own headers.
        content: the body to send, if any: JSON.
        limit: how long it may take in all (seconds), from the look-up of a name to the last byte.

    Raises:
        NoAnswerError: there is no answer, or none in time.
    """
    import httpx

    sent = httpx.Headers(_HEADERS)
    if content is not None:
        sent["content-type"] = "application/json"
    try:
        sent.update(headers)
    except ValueError:
        # Without its error, which holds the value.
        raise NoAnswerError("a header that cannot be sent") from None
    try:
        # One limit for all of it, for a server that sends a byte a second keeps every single wait short.
        async with asyncio.timeout(limit):
            if target.is_inside:
                return unfolded(await call_inside(method, target.url, sent, content, limit))
            return unfolded(await call_over_network(method, target.url, sent, content, limit))
    except TimeoutError:
        raise NoAnswerError(f"no answer in {limit:.1f} s", is_late=True) from None
