"""Many probes at once, over connections that are kept open for as long as the server keeps them open."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import selectors
import socket
import time
from collections import Counter

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"connection: *close", re.IGNORECASE)


@dataclasses.dataclass
class Load:
    """The responses to many probes.

    Args:
        responses: the number of responses by status and body.
        seconds: the duration of each response.
    """

    responses: Counter[tuple[int, bytes]] = dataclasses.field(default_factory=Counter)
    seconds: list[float] = dataclasses.field(default_factory=list)

    @property
    def slowest(self) -> float:
        return max(self.seconds)

    @property
    def p99(self) -> float:
        return sorted(self.seconds)[len(self.seconds) * 99 // 100]


def probe(port: int, path: str, probes: int, connections: int) -> Load:
    """Send ``probes`` requests over ``connections`` connections."""
    load = Load()
    request = f"GET {path} HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\n\r\n".encode()
    # Not the streams of asyncio, because this client would then take most of the time.
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            _Client(selector, port, request, probes // connections).send()
        while selector.get_map():
            ready = selector.select(timeout=60)
            assert ready, "no response within 60 s"
            for key, _ in ready:
                key.data.receive(load)
    return load


class _Client:
    """One of the connections, which is opened again whenever the server closes it."""

    def __init__(self, selector: selectors.BaseSelector, port: int, request: bytes, left: int) -> None:
        self._selector = selector
        self._port = port
        self._request = request
        self._left = left
        self._socket: socket.socket | None = None

    def send(self) -> None:
        """Send the next request."""
        self._began = time.monotonic()
        self._received = b""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
            self._selector.register(self._socket, selectors.EVENT_READ, self)
        # If the server has closed the idle connection meanwhile, receive() notices it.
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(self._request)

    def receive(self, load: Load) -> None:
        """Read the available bytes; if the response is complete, record it and send the next request."""
        assert self._socket is not None
        try:
            chunk = self._socket.recv(65536)
        except ConnectionError:
            chunk = b""
        if not chunk:
            assert not self._received, f"closed in the middle of a response: {self._received!r}"
            self._close()
            self.send()
            return
        self._received += chunk
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = _LENGTH.search(head)
        assert length is not None, head
        if len(body) < int(length[1]):
            return
        load.responses[int(head.split(None, 2)[1]), body] += 1
        load.seconds.append(time.monotonic() - self._began)
        self._left -= 1
        if not self._left or _CLOSE.search(head):
            self._close()
        if self._left:
            self.send()

    def _close(self) -> None:
        assert self._socket is not None
        self._selector.unregister(self._socket)
        self._socket.close()
        self._socket = None
