"""Many probes at once, from connections that are kept for as long as the server keeps them."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import time
from collections import Counter

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"connection: *close", re.IGNORECASE)


@dataclasses.dataclass
class Load:
    """What came of it.

    Args:
        answers: how often which status and body came.
        seconds: how long each answer took.
    """

    answers: Counter[tuple[int, bytes]] = dataclasses.field(default_factory=Counter)
    seconds: list[float] = dataclasses.field(default_factory=list)

    @property
    def slowest(self) -> float:
        return max(self.seconds)

    @property
    def p99(self) -> float:
        return sorted(self.seconds)[len(self.seconds) * 99 // 100]


def probe(port: int, path: str, probes: int, connections: int) -> Load:
    """Send so many probes from so many connections."""
    load = Load()
    request = f"GET {path} HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\n\r\n".encode()

    async def main() -> None:
        share = probes // connections
        await asyncio.gather(*(_client(load, port, request, share) for _ in range(connections)))

    asyncio.run(main())
    return load


async def _client(load: Load, port: int, request: bytes, probes: int) -> None:
    writer: asyncio.StreamWriter | None = None
    for _ in range(probes):
        began = time.monotonic()
        if writer is None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        assert length is not None, head
        body = await reader.readexactly(int(length[1]))
        load.answers[int(head.split(None, 2)[1]), body] += 1
        load.seconds.append(time.monotonic() - began)
        if _CLOSE.search(head):
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            writer = None
    if writer is not None:
        writer.close()
