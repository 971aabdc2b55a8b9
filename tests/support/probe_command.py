"""The command ``python -m healthguard.probe`` as a process, and the servers that it probes."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

PATIENT = ("--timeout", "60")
"""The option for a probe that must not time out on a busy machine."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n" + b'{"status": "healthy"}\n'

Handler = Callable[[socket.socket], None]


def command(*arguments: str, options: Sequence[str] = ()) -> list[str]:
    """Return the command line of a probe.

    Args:
        arguments: the arguments of the command.
        options: the options of Python.
    """
    return [sys.executable, *options, "-m", "healthguard.probe", *arguments]


def run_probe(
    *arguments: str, options: Sequence[str] = (), environment: dict[str, str] | None = None, **keys: Any
) -> subprocess.CompletedProcess[str]:
    """Run the command and return the finished process. The environment contains no token unless it is given."""
    inherited = {name: value for name, value in os.environ.items() if name != "HEALTHGUARD_TOKEN"}
    return subprocess.run(
        command(*arguments, options=options),
        env={**inherited, **(environment or {})},
        check=False,
        **({"capture_output": True} | keys),
        encoding="utf-8",
    )


def response(status: int, body: str = "", *headers: str) -> bytes:
    """Return the bytes of a response."""
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Length: {len(body.encode())}", *headers]
    return "\r\n".join([*lines, "", body]).encode()


class RawServer:
    """A server that sends bytes, which may be anything. Used in a ``with`` block.

    Args:
        answer: the bytes to send after the request, or a function that is called with the connection instead.
        address: the path of a Unix domain socket; None for a free port of 127.0.0.1.
        family: the family of the sockets.
        tls: the settings of TLS.
        reads: True to read the request first.
    """

    def __init__(
        self,
        answer: bytes | Handler,
        address: str | None = None,
        *,
        family: socket.AddressFamily = socket.AF_INET,
        tls: ssl.SSLContext | None = None,
        reads: bool = True,
    ) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self._tls = tls
        self._reads = reads
        host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        self._listener = socket.socket(socket.AF_UNIX if address is not None else family)
        self._listener.bind((host, 0) if address is None else address)
        self._listener.listen(64)
        self.port = 0 if address is not None else int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept)]

    def url(self, path: str = "/api/health/ready", scheme: str = "http", host: str = "127.0.0.1") -> str:
        """Return a URL of this server."""
        return f"{scheme}://{host}:{self.port}{path}"

    def __enter__(self) -> RawServer:
        self._threads[0].start()
        return self

    def __exit__(self, *exception: object) -> None:
        # Closing alone would not end accept() of another thread.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._tls is None:
                self._respond(connection)
            else:
                with self._tls.wrap_socket(connection, server_side=True) as encrypted:
                    self._respond(encrypted)

    def _respond(self, connection: socket.socket) -> None:
        if self._reads:
            request = b""
            while b"\r\n\r\n" not in request and (part := connection.recv(65536)):
                request += part
            self.requests.append(request)
        if callable(self.answer):
            self.answer(connection)
            return
        connection.sendall(self.answer)
        connection.shutdown(socket.SHUT_WR)
        # Closing at once may discard what the client has not read yet.
        while connection.recv(65536):
            pass
