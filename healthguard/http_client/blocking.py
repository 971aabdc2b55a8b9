"""A call for code that waits for it, on any thread."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from healthguard.http_client.call import call
from healthguard.http_client.response import EndpointResponse
from healthguard.http_client.target import Target
from healthguard.runtime.threads import DaemonExecutor

if TYPE_CHECKING:
    import ssl


def call_blocking(
    method: str,
    target: Target,
    headers: Mapping[str, str],
    *,
    limit: float,
    trusted: ssl.SSLContext | None = None,
) -> EndpointResponse:
    """Send one request to ``target``, wait for the response, and return it. See :func:`healthguard.http_client.call`.

    Raises:
        TransportError: the call receives no response, or none within the limit.
    """

    async def call_once() -> EndpointResponse:
        # The loop would wait for a name lookup that hangs, even after the limit.
        asyncio.get_running_loop().set_default_executor(DaemonExecutor(1, contextlib.nullcontext))
        return await call(method, target, headers, limit=limit, trusted=trusted)

    # On a thread of its own, because this one may run an event loop.
    return DaemonExecutor(1, contextlib.nullcontext).submit(lambda: asyncio.run(call_once())).result()
