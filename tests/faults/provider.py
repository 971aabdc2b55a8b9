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

from example_project.ports import free_port

Behavior: TypeAlias = Callable[[socket.socket], None]
"""A function that answers a request on its connection."""

SILENT_SECONDS = 60.0
"""The time that a silent provider keeps a connection open (seconds)."""


class Provider:
    """A server that reads a request and answers it with its behavior.

    Args:
        context: the TLS context; without one, the server speaks plain HTTP.

    While its behavior is ``healthy``, it rejects every key that is not in ``keys``, unless ``keys`` is empty.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.context = context
        self.behavior: Behavior = healthy
        self.keys: tuple[str, ...] = ()
        # Not port 0: while this server is down, the kernel may give such a port to a client.
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
        """Accept connections again, on the same port."""
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
                connection.settimeout(SILENT_SECONDS)
                head = b""
                while b"\r\n\r\n" not in head:
                    if not (chunk := connection.recv(65536)):
                        return
                    head += chunk
                is_known = not self.keys or any(key.encode() in head for key in self.keys)
                behavior = reject_key if self.behavior is healthy and not is_known else self.behavior
                behavior(connection)


def respond_with(status: int, body: object, *headers: str) -> Behavior:
    """Return a behavior that responds with ``status`` and ``body``: bytes as they are, anything else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(content)}", *headers]

    def respond(connection: socket.socket) -> None:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode() + content)

    return respond


healthy = respond_with(200, {"data": [{"id": "model"}]})
reject_key = respond_with(401, {"error": {"type": "authentication_error", "code": "invalid_api_key"}})


def reset_connection(connection: socket.socket) -> None:
    """Reset the connection in the middle of the body."""
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"data": [')
    time.sleep(0.05)
    # Closing with a linger of 0 seconds sends a reset: see socket(7).
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def stay_silent(connection: socket.socket) -> None:
    """Never respond."""
    connection.recv(1)


def drip_headers(connection: socket.socket) -> None:
    """Send a header line at a time, and never the last one."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    _drip(connection, b"X-Line: x\r\n")


def drip_body(connection: socket.socket) -> None:
    """Send a byte of the body at a time, without an end. Every single wait of the client is short."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    _drip(connection, b" ")


def _drip(connection: socket.socket, drop: bytes) -> None:
    ends = time.monotonic() + SILENT_SECONDS
    while time.monotonic() < ends:
        connection.sendall(drop)
        time.sleep(0.3)


def send_100_mb(connection: socket.socket) -> None:
    """Send a body that is too large to be held in memory."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n")
    for _ in range(100):
        connection.sendall(b" " * 1048576)
