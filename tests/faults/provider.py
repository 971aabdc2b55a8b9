"""A provider that can misbehave in every way a server can, over HTTP and over TLS."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

from example_project.deployment import free_port

Behaviour: TypeAlias = "Callable[[socket.socket], None]"

FOREVER = 60.0
"""How long a provider stays silent (seconds)."""


class Provider:
    """A server that reads a request and then behaves as it is told.

    Args:
        context: what it proves itself with over TLS; without, it speaks plain HTTP.

    While all is well, it refuses every key that is not in ``keys``, unless that is empty.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.context = context
        self.behaviour: Behaviour = healthy
        self.keys: tuple[str, ...] = ()
        self.asked = 0
        # Not port 0: while this is down, the kernel may give such a port to somebody who connects.
        self.port = free_port()
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http{'s' if self.context else ''}://127.0.0.1:{self.port}"

    def down(self) -> None:
        """Refuse connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def up(self) -> None:
        """Accept them again, on the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection:
                connection.settimeout(FOREVER)
                head = b""
                while b"\r\n\r\n" not in head:
                    if not (chunk := connection.recv(65536)):
                        return
                    head += chunk
                self.asked += 1
                is_known = not self.keys or any(key.encode() in head for key in self.keys)
                behaviour = refuses if self.behaviour is healthy and not is_known else self.behaviour
                behaviour(connection)


def answer(status: int, body: object, *headers: str) -> Behaviour:
    """Answer ``status`` with ``body``: JSON, or bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(content)}", *headers]

    def behave(connection: socket.socket) -> None:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode() + content)

    return behave


healthy = answer(200, {"data": [{"id": "model"}]})
refuses = answer(401, {"error": {"type": "authentication_error", "code": "invalid_api_key"}})


def resets(connection: socket.socket) -> None:
    """Break off in the middle of the body."""
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"data": [')
    time.sleep(0.05)
    # To close with a linger of 0 seconds sends a reset: see socket(7).
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(connection: socket.socket) -> None:
    """Never answer."""
    connection.recv(1)


def slow_headers(connection: socket.socket) -> None:
    """A header line now and then, and never the last."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    _drip(connection, b"X-Line: x\r\n")


def a_byte_a_second(connection: socket.socket) -> None:
    """Every single wait is short, and there is no end to them."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    _drip(connection, b" ")


def _drip(connection: socket.socket, drop: bytes) -> None:
    ends = time.monotonic() + FOREVER
    while time.monotonic() < ends:
        connection.sendall(drop)
        time.sleep(0.3)


def a_hundred_megabytes(connection: socket.socket) -> None:
    """A body that nobody should hold in memory."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n")
    for _ in range(100):
        connection.sendall(b" " * 1048576)
