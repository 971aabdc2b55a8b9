"""Whether this pod has been ready once.

"Once" belongs to the pod, not to a worker process: the workers of one server share it through an empty file in the
temporary folder, named after the server process, so that a restarted server starts anew. A worker that replaces
another while the database is down is then still part of a ready pod.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import tempfile
from pathlib import Path

_PROC = Path("/proc")


class Latch:
    """Remembers that the pod was ready, once and for all.

    Args:
        path: the file that the server's workers share; None to remember in this process alone.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._is_set = False

    @classmethod
    def of_this_server(cls) -> Latch:
        """The latch that the workers of this server share; of this process alone where /proc does not tell."""
        name = _server_name()
        return cls(None if name is None else Path(tempfile.gettempdir()) / f"healthguard-{name}.ready")

    @property
    def is_set(self) -> bool:
        """Whether the pod has been ready."""
        if not self._is_set and self._path is not None:
            # Anybody may write into the temporary folder: only a file of this user counts.
            with contextlib.suppress(OSError):
                self._is_set = os.lstat(self._path).st_uid == os.geteuid()
        return self._is_set

    def set(self) -> None:
        """Remember that it is."""
        self._is_set = True
        if self._path is not None:
            # Where it cannot be written, each worker has to become ready by itself.
            with contextlib.suppress(OSError):
                os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))


@dataclasses.dataclass(frozen=True, slots=True)
class _Process:
    """A process as /proc tells it.

    Args:
        pid: its number.
        parent: its parent's number.
        started: when it was started, in clock ticks since boot: the number alone may be used again.
        stack: where its stack begins. A fork keeps it; a program that is executed gets a random one. "0" where this
            process may not know, as after a worker has given up root's rights.
        group: its process group and session.
        command: its command line, which a fork keeps too.
    """

    pid: int
    parent: int
    started: str
    stack: str
    group: tuple[str, str]
    command: bytes

    def is_fork_of(self, other: _Process) -> bool:
        """Whether it is the same program, forked."""
        if "0" not in (self.stack, other.stack):
            return self.stack == other.stack
        return self.group == other.group and _program(self.command) == _program(other.command)


def _server_name() -> str | None:
    """What tells the server process from any other, also after a reboot."""
    server = _server_process()
    if server is None:
        return None
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return f"{boot[:8]}-{server.pid}-{server.started}"


def _server_process() -> _Process | None:
    """The process that the server was started as.

    A worker of gunicorn and its like is a fork of it. A worker of uvicorn and its like is a child that
    multiprocessing started. Anything else is a server of its own.
    """
    parent = multiprocessing.parent_process()
    process = _process((parent.pid if parent is not None else None) or os.getpid())
    while process is not None:
        above = _process(process.parent)
        if above is None or not process.is_fork_of(above):
            break
        process = above
    return process


def _process(pid: int) -> _Process | None:
    try:
        # The name, in brackets, may hold anything: what counts follows it. See proc(5), /proc/pid/stat.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return _Process(
            pid=pid,
            parent=int(fields[1]),
            started=fields[19],
            stack=fields[25],
            group=(fields[2], fields[3]),
            command=(_PROC / str(pid) / "cmdline").read_bytes(),
        )
    except (OSError, IndexError, ValueError):
        return None


def _program(command: bytes) -> bytes:
    """What of a command line its workers keep: setproctitle writes "gunicorn: master" and "gunicorn: worker"."""
    return b"gunicorn:" if command.startswith(b"gunicorn: ") else command
