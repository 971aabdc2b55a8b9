"""What comes of a call: an answer, or none."""

from __future__ import annotations

import dataclasses
import time
import zlib
from collections.abc import AsyncIterable, Iterable, Mapping

MAX_BODY = 1024 * 1024
"""How much of a body is read (bytes). What is longer is not read to its end."""
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer.

    Args:
        status: the HTTP status.
        content: the body; None if it is longer than MAX_BODY. It may hold secrets.
        headers: the header lines. They may hold secrets.
        raised: the class of what the application raised in place of an answer, which a server turns into a 500.
    """

    status: int
    content: bytes | None = dataclasses.field(default=None, repr=False)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    raised: str | None = None


class TooLateError(TimeoutError):
    """An answer goes on when nobody waits for it any more."""


class NoAnswerError(Exception):
    """There was no answer.

    Args:
        reason: why, safe to show: the class of the error, or how long was waited.
        is_late: whether there was none in time.
    """

    def __init__(self, reason: str, *, is_late: bool = False) -> None:
        self.reason = reason
        self.is_late = is_late
        super().__init__(reason)


def unfolded(answer: Answer) -> Answer:
    """The answer of a server that compresses though it was asked not to; of the content no more than MAX_BODY."""
    encoding = answer.headers.get("content-encoding", "").lower()
    if answer.content is None or encoding not in ("gzip", "x-gzip", "deflate"):
        return answer
    try:
        content = zlib.decompressobj(_GZIP_OR_ZLIB).decompress(answer.content, MAX_BODY + 1)
    except zlib.error:
        return answer
    return dataclasses.replace(answer, content=content if len(content) <= MAX_BODY else None)


def capped(chunks: Iterable[bytes], *, ends: float) -> bytes | None:
    """The chunks in one, or None, and no more of them are read, if that is longer than MAX_BODY.

    Raises:
        TooLateError: they go on after ``ends`` (``time.monotonic()`` seconds), when nobody waits for them any more.
    """
    content = bytearray()
    for chunk in chunks:
        if time.monotonic() > ends:
            raise TooLateError
        content += chunk
        if len(content) > MAX_BODY:
            return None
    return bytes(content)


async def acapped(chunks: AsyncIterable[bytes]) -> bytes | None:
    """The same of what comes over time."""
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) > MAX_BODY:
            return None
    return bytes(content)
