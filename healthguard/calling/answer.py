"""What comes of a call: an answer, or none."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterable, Iterable, Mapping

MAX_BODY = 1024 * 1024
"""How much of a body is read (bytes). What is longer is not read to its end."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer.

    Args:
        status: the HTTP status.
        content: the body, as it was sent; None if it is longer than MAX_BODY. It may hold secrets.
        headers: the header lines. They may hold secrets.
        raised: the class of what the application raised in place of an answer, which a server turns into a 500.
    """

    status: int
    content: bytes | None = dataclasses.field(default=None, repr=False)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    raised: str | None = None


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


def capped(chunks: Iterable[bytes]) -> bytes | None:
    """The chunks in one, or None, and no more of them are read, if that is longer than MAX_BODY."""
    content = bytearray()
    for chunk in chunks:
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
