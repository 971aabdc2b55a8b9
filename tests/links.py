"""A way to a database that a test can close, silence and open again: a port that leads to the server, or to nobody."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from urllib.parse import unquote, urlsplit, urlunsplit

from example_project.deployment import free_port

# PostgreSQL's ReadyForQuery, outside a transaction: the last message of a login, and of an answer.
READY = b"Z\x00\x00\x00\x05I"


class Ended:
    """Whether both directions of a connection have ended."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    def both(self) -> bool:
        """Note the end of one direction; return True if it is the second."""
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
        # Not port 0: while this is down, the kernel may give such a port to somebody who connects.
        self._port = free_port()
        self.accepted = 0
        """How many connections were accepted so far."""
        self._open: list[socket.socket] = []
        self._serve = self._forward
        self._listen()
        self.url = urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{self._port}"))

    def up(self) -> None:
        """Let new connections through. What was silenced stays silent, as behind a router that has forgotten it."""
        self._close_listener()
        self._serve = self._forward
        self._listen()

    def down(self) -> None:
        """Refuse new connections and break those there are."""
        self._close_listener()
        broken, self._open = self._open, []
        for connection in broken:
            _break(connection)

    def silence(self) -> None:
        """Accept connections and answer nothing, to nobody."""
        self._serve = self._ignore

    def silence_after_login(self) -> None:
        """Let whoever connects log in, and answer nothing from then on."""
        self._serve = self._forward_login

    def blackhole(self) -> None:
        """Drop what comes, as a firewall does: with its queue full, the kernel does not even answer a SYN."""
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
                near, _ = listener.accept()
                self.accepted += 1
                self._open.append(near)
                if listener.fileno() == -1:
                    # Accepted just before the end: nobody else closes it.
                    _break(near)
                    return
                try:
                    self._serve(near)
                except OSError:
                    # There is no server behind it.
                    _break(near)

    def _ignore(self, near: socket.socket) -> None:
        pass

    def _forward(self, near: socket.socket) -> None:
        far, ended = self._connect(), Ended()
        self._pump(near, far, ended, lambda: self._serve != self._ignore)
        self._pump(far, near, ended, lambda: self._serve != self._ignore)

    def _forward_login(self, near: socket.socket) -> None:
        far, ended = self._connect(), Ended()
        said: list[bytes] = []
        # The client's part ends with the login: what it sends afterwards reaches nobody.
        self._pump(near, far, ended, lambda: not b"".join(said).endswith(READY))
        self._pump(far, near, ended, lambda: True, said.append)

    def _connect(self) -> socket.socket:
        name, port = self._target
        if name.startswith("/"):
            far = socket.socket(socket.AF_UNIX)
            # Kept first, so that it is closed also if this fails.
            self._open.append(far)
            far.connect(f"{name}/.s.PGSQL.{port}")
        else:
            far = socket.create_connection((name, port))
            self._open.append(far)
        return far

    def _pump(
        self,
        source: socket.socket,
        target: socket.socket,
        ended: Ended,
        flows: Callable[[], bool],
        note: Callable[[bytes], None] = lambda content: None,
    ) -> None:
        def pump() -> None:
            with contextlib.suppress(OSError):
                while content := source.recv(65536):
                    if not flows():
                        # From here on nothing passes, and neither side is told.
                        return
                    note(content)
                    target.sendall(content)
            for end in (source, target):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            if ended.both():
                # Nobody uses them any more. A suite of faults opens thousands, and a process may have 1,024.
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
