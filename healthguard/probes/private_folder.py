"""Folders that the processes of one server share, and that no other user can read, write or replace."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, on which the processes of a server do not share a folder
    fcntl = None  # type: ignore[assignment]

_PREFIX, _SUFFIX = "healthguard-", ".ready"
_NAME = re.compile(rf"{_PREFIX}[0-9a-f]{{32}}{re.escape(_SUFFIX)}")
_SERVER = re.compile(r"server-(\d+)-(\d+)")
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.01


def places() -> list[str]:
    """Return the directories that may contain such folders. The first writable one is used.

    /dev/shm is writable in most containers, even if the root file system is read-only.
    """
    return [directory for directory in (os.environ.get("TMPDIR", ""), "/tmp", "/dev/shm") if os.path.isabs(directory)]  # noqa: S108


class PrivateFolder:
    """An open folder of this user. It is marked as in use while this object exists.

    Args:
        descriptor: the file descriptor of the folder, which has a shared lock.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)

    @classmethod
    def existing(cls, name: str) -> Iterator[PrivateFolder]:
        """Yield the existing folders called ``name`` that are private to this user."""
        for directory in places():
            with contextlib.suppress(OSError):
                yield cls(_opened(_path(directory, name)))

    @classmethod
    def created(cls, name: str) -> Iterator[PrivateFolder]:
        """Create the folder called ``name`` in one directory after the other, and yield each that could be created.

        This user's folders that are no longer in use are removed first.
        """
        for directory in places():
            path = _path(directory, name)
            with contextlib.suppress(OSError):
                _remove_unused(directory)
                yield cls(_opened(path, create=True))

    def has(self, file: str) -> bool:
        """Return True if ``file`` exists as :meth:`put` creates it: empty, owned by this user, with one hard link."""
        try:
            status = os.stat(file, dir_fd=self._descriptor, follow_symlinks=False)
        except OSError:
            return False
        is_plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_size == 0
        return is_plain and status.st_uid == os.geteuid()

    def put(self, file: str) -> None:
        """Create the empty ``file``, unless it exists.

        Raises:
            OSError: it cannot be created.
        """
        flags = os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW
        os.close(os.open(file, flags, 0o600, dir_fd=self._descriptor))


def server_file(process: tuple[int, int]) -> str:
    """Return the name of the file that keeps a folder while a server runs.

    Args:
        process: the PID of the server's process, and its start time (clock ticks since boot).
    """
    return f"server-{process[0]}-{process[1]}"


def start_time(pid: int) -> int | None:
    """Return the start time of a process (clock ticks since boot); None if it does not exist or cannot be read."""
    try:
        # The name of the process, in parentheses, may contain any character. The fields follow it. See proc(5),
        # /proc/pid/stat.
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def _is_running(file: str) -> bool:
    match = _SERVER.fullmatch(file)
    return match is not None and start_time(int(match[1])) == int(match[2])


def _path(directory: str, name: str) -> str:
    return os.path.join(directory, f"{_PREFIX}{name}{_SUFFIX}")


def _opened(path: str, *, create: bool = False) -> int:
    """Open a folder, mark it as in use, and return its file descriptor.

    Raises:
        OSError: it does not exist, cannot be opened or created, or is not private to this user.
    """
    for _ in range(_ATTEMPTS):
        if create:
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, 0o700)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            opened = os.fstat(descriptor)
            if opened.st_uid != os.geteuid() or stat.S_IMODE(opened.st_mode) & 0o077:
                raise PermissionError(f"{path} is not private to this user")
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if _is_at(path, opened):
                return descriptor
        except BlockingIOError:
            # Another process is about to remove it.
            time.sleep(_PAUSE_SECONDS)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise FileNotFoundError(path)


def _is_at(path: str, opened: os.stat_result) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == (opened.st_dev, opened.st_ino)


def _remove_unused(directory: str) -> None:
    """Remove this user's folders that are not marked as in use, because their servers have ended."""
    with os.scandir(directory) as entries:
        folders = [entry.path for entry in entries if _is_candidate(entry)]
    for path in folders:
        with contextlib.suppress(OSError):
            _remove_if_unused(path)


def _is_candidate(entry: os.DirEntry[str]) -> bool:
    if _NAME.fullmatch(entry.name) is None:
        return False
    try:
        return entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid == os.geteuid()
    except OSError:
        return False


def _remove_if_unused(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        names = os.listdir(descriptor)
        if any(map(_is_running, names)):
            # All workers of the server have ended at once, and it is about to start new ones.
            return
        for name in names:
            os.unlink(name, dir_fd=descriptor)
        os.rmdir(path)
    finally:
        os.close(descriptor)
