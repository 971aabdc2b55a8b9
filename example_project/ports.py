"""Free ports of this machine, and ports that a server listens on.

This module imports only the standard library, because ``.ci/smoke.py`` uses it with an installed healthguard.
"""

from __future__ import annotations

import secrets
import socket

_marks: list[socket.socket] = []
"""The UDP sockets that mark the ports given out by this process."""


def bind(port: int) -> None:
    """Bind ``port`` of 127.0.0.1 for a moment, as a server would.

    Raises:
        PermissionError: this user may not listen on the port.
        OSError: the port is in use.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


def is_free(port: int) -> bool:
    """Return True if a server can listen on ``port`` of 127.0.0.1."""
    try:
        bind(port)
    except OSError:
        return False
    return True


def free_port() -> int:
    """Return a free port that neither this function nor the kernel gives to anyone else while this process runs.

    The UDP port with the same number is bound as a mark: every process can see that the port is taken, and the mark
    disappears when this process ends, even if it is killed.

    The kernel chooses the ports of outgoing connections and of sockets bound to port 0. These begin at 32768 on Linux
    and higher on other systems, so a lower port is returned.
    """
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        mark = socket.socket(type=socket.SOCK_DGRAM)
        try:
            mark.bind(("127.0.0.1", port))
        except OSError:
            mark.close()
            continue
        if is_free(port):
            _marks.append(mark)
            return port
        mark.close()


def listens(port: int) -> bool:
    """Return True if a server listens on ``port`` of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
