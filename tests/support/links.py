"""A port that forwards to a database server, and that a test can close, silence and open again."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from urllib.parse import unquote, urlsplit, urlunsplit

from example_project.ports import free_port

READY = b"Z\x00\x00\x00\x05I"
"""PostgreSQL's ReadyForQuery outside a transaction: the last message of a login and of each response."""


class EndedDirections:
    """The number of directions of a connection that have ended."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    def add(self) -> bool:
        """Count the end of one direction; return True if both have ended."""
        with self._lock:
            self._count += 1
            return self._count == 2


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
        # Not port 0: while the link is down, the kernel may give such a port to another program.
        self._port = free_port()
        self.accepted = 0
        """The number of connections accepted so far."""
        self._open: list[socket.socket] = []
        self._serve: Callable[[socket.socket], None] = self._forward
        self._listen()
        self.url = urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{self._port}"))

    def up(self) -> None:
        """Forward new connections. Silenced connections stay silent, as behind a router that has lost its state."""
        self._close_listener()
        self._serve = self._forward
        self._listen()

    def down(self) -> None:
        """Refuse new connections and break the open ones."""
        self._close_listener()
        open_connections, self._open = self._open, []
        for connection in open_connections:
            _break(connection)

    def silence(self) -> None:
        """Accept connections and send nothing on any connection."""
        self._serve = self._ignore

    def silence_after_login(self) -> None:
        """Forward the login of new connections, and nothing after it."""
        self._serve = self._forward_login

    def blackhole(self) -> None:
        """Drop packets as a firewall does: while the accept queue is full, the kernel does not answer a SYN."""
        self._close_listener()
        self._listener = _listener(self._port, backlog=0)
        for _ in range(4):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", self._port))
            self._open.append(waiting)

    def _listen(self) -> None:
        self._listener = _listener(self._port, backlog=128)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _close_listener(self) -> None:
        _break(self._listener)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                self.accepted += 1
                self._open.append(client)
                if listener.fileno() == -1:
                    # Accepted just before the listener was closed: nothing else closes this connection.
                    _break(client)
                    return
                try:
                    self._serve(client)
                except OSError:
                    # The server cannot be reached.
                    _break(client)

    def _ignore(self, client: socket.socket) -> None:
        pass

    def _forward(self, client: socket.socket) -> None:
        server, ended = self._connect(), EndedDirections()
        self._pump(client, server, ended, lambda: self._serve != self._ignore)
        self._pump(server, client, ended, lambda: self._serve != self._ignore)

    def _forward_login(self, client: socket.socket) -> None:
        server, ended = self._connect(), EndedDirections()
        responses: list[bytes] = []
        # The data of the client is forwarded until the login is complete.
        self._pump(client, server, ended, lambda: not b"".join(responses).endswith(READY))
        self._pump(server, client, ended, lambda: True, responses.append)

    def _connect(self) -> socket.socket:
        name, port = self._target
        if name.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            # Stored first, so that it is closed even if connect() fails.
            self._open.append(server)
            server.connect(f"{name}/.s.PGSQL.{port}")
        else:
            server = socket.create_connection((name, port))
            self._open.append(server)
        return server

    def _pump(
        self,
        source: socket.socket,
        target: socket.socket,
        ended: EndedDirections,
        is_forwarding: Callable[[], bool],
        note: Callable[[bytes], None] = lambda content: None,
    ) -> None:
        def pump() -> None:
            with contextlib.suppress(OSError):
                while content := source.recv(65536):
                    if not is_forwarding():
                        # Nothing is forwarded any more, and both connections stay open.
                        return
                    note(content)
                    target.sendall(content)
            for end in (source, target):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            if ended.add():
                # Both are unused now. The fault tests open thousands of sockets, and a process may have 1,024.
                for end in (source, target):
                    end.close()
                    with contextlib.suppress(ValueError):
                        self._open.remove(end)

        threading.Thread(target=pump, daemon=True).start()


def _listener(port: int, backlog: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(backlog)
    return listener


def _break(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
