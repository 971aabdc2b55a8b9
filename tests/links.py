"""A way to a database that a test can close and open again: a port that leads to the server, or to nobody."""

from __future__ import annotations

import contextlib
import socket
import threading
from urllib.parse import unquote, urlsplit, urlunsplit


class Link:
    """Forwards a port of 127.0.0.1 to a PostgreSQL server.

    Args:
        url: a database on the server, which listens on TCP or on a socket in a folder.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        user, _, host = parts.netloc.rpartition("@")
        name, _, port = host.partition(":") if not host.startswith("%2F") else (unquote(host), "", "")
        self._target = (name, int(port or 5432))
        self._port = 0
        self._open: list[socket.socket] = []
        self.up()
        self.url = urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{self._port}"))

    def up(self) -> None:
        """Let connections through."""
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self._port))
        self._listener.listen(64)
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def down(self) -> None:
        """Refuse new connections and break those there are."""
        for connection in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = self._connect()
                self._open += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=(source, target), daemon=True).start()

    def _connect(self) -> socket.socket:
        name, port = self._target
        if not name.startswith("/"):
            return socket.create_connection((name, port))
        far = socket.socket(socket.AF_UNIX)
        far.connect(f"{name}/.s.PGSQL.{port}")
        return far


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(65536):
            target.sendall(content)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
