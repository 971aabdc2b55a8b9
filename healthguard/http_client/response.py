"""The response to a call, and the errors of a call without one."""

from __future__ import annotations

import dataclasses
import time
import zlib
from collections.abc import AsyncIterable, Iterable, Mapping

MAX_BODY = 1024 * 1024
"""The size up to which a body is read (bytes). A longer body is not read to its end."""
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


@dataclasses.dataclass(frozen=True, slots=True)
class EndpointResponse:
    """An HTTP response.

    Args:
        status: the HTTP status.
        content: the body; None if it is longer than MAX_BODY. It may contain secrets.
        headers: the header lines. They may contain secrets.
        raised: the class name of an exception that the application raised instead of responding, which a server turns
            into a 500.
    """

    status: int
    content: bytes | None = dataclasses.field(default=None, repr=False)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    raised: str | None = None


class DeadlineError(TimeoutError):
    """A response continues after its deadline, when the caller no longer waits for it."""


class TransportError(Exception):
    """A call received no response.

    Args:
        reason: the reason, which is safe to show: the class of the error, or the time limit.
        is_late: True if the time limit expired without a response.
    """

    def __init__(self, reason: str, *, is_late: bool = False) -> None:
        self.reason = reason
        self.is_late = is_late
        super().__init__(reason)


def decompress(response: EndpointResponse) -> EndpointResponse:
    """Return the response with its content decompressed, or None in place of content longer than MAX_BODY.

    Some servers compress the body although the request declines compression.
    """
    encoding = response.headers.get("content-encoding", "").lower()
    if response.content is None or encoding not in ("gzip", "x-gzip", "deflate"):
        return response
    try:
        content = zlib.decompressobj(_GZIP_OR_ZLIB).decompress(response.content, MAX_BODY + 1)
    except zlib.error:
        return response
    return dataclasses.replace(response, content=content if len(content) <= MAX_BODY else None)


def read_limited(chunks: Iterable[bytes], *, deadline: float) -> bytes | None:
    """Return the joined chunks, or None if they are longer than MAX_BODY; in that case, stop reading them.

    Raises:
        DeadlineError: a chunk arrived after ``deadline`` (``time.monotonic()`` seconds), when the caller no longer
            waits for it.
    """
    content = bytearray()
    for chunk in chunks:
        if time.monotonic() > deadline:
            raise DeadlineError
        content += chunk
        if len(content) > MAX_BODY:
            return None
    return bytes(content)


async def read_limited_async(chunks: AsyncIterable[bytes]) -> bytes | None:
    """Return the joined chunks, or None if they are longer than MAX_BODY; in that case, stop reading them."""
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) > MAX_BODY:
            return None
    return bytes(content)
