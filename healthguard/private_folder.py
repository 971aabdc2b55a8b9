"""A folder that one server's processes share, and that no other user can read, write or replace."""

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
except ImportError:  # Windows, where no server shares a folder
    fcntl = None  # type: ignore[assignment]

_PREFIX, _SUFFIX = "healthguard-", ".ready"
_NAME = re.compile(rf"{_PREFIX}[0-9a-f]{{32}}{re.escape(_SUFFIX)}")
_SERVER = re.compile(r"server-(\d+)-(\d+)")
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.01


def places() -> list[str]:
    """Return where such folders may be: the first that can be written is used.

    /dev/shm is writable in most containers, also where the root file system is read-only.
    """
    return [place for place in (os.environ.get("TMPDIR", ""), "/tmp", "/dev/shm") if os.path.isabs(place)]  # noqa: S108


class PrivateFolder:
    """An open folder of this user's own, marked as in use for as long as this object exists.

    Args:
        descriptor: the open folder, with a shared lock.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)

    @classmethod
    def existing(cls, name: str) -> Iterator[PrivateFolder]:
        """Yield the folders called ``name`` that can be trusted."""
        for place in places():
            with contextlib.suppress(OSError):
                yield cls(_opened(_path(place, name)))

    @classmethod
    def created(cls, name: str) -> Iterator[PrivateFolder]:
        """Create the folder called ``name`` in one place after the other, and yield it where that was possible.

        Folders of this user that no process uses any more are removed first.
        """
        for place in places():
            path = _path(place, name)
            with contextlib.suppress(OSError):
                _remove_unused(place)
                yield cls(_opened(path, create=True))

    def has(self, file: str) -> bool:
        """Return True if ``file`` is there as :meth:`put` made it: empty, of this user, without another name."""
        try:
            found = os.stat(file, dir_fd=self._descriptor, follow_symlinks=False)
        except OSError:
            return False
        is_plain = stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_size == 0
        return is_plain and found.st_uid == os.geteuid()

    def put(self, file: str) -> None:
        """Create the empty ``file``; leave it as it is if it exists.

        Raises:
            OSError: it cannot be created.
        """
        flags = os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW
        os.close(os.open(file, flags, 0o600, dir_fd=self._descriptor))


def server_file(process: tuple[int, int]) -> str:
    """Return the name of the file by which a folder is kept for as long as a server runs.

    Args:
        process: the number of the server's process, and when it was started (clock ticks since boot).
    """
    return f"server-{process[0]}-{process[1]}"


def start_time(pid: int) -> int | None:
    """Return when a process was started (clock ticks since boot); None if there is none, or it is not shown."""
    try:
        # The name, in brackets, may contain anything: the fields follow it. See proc(5), /proc/pid/stat.
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def _is_running(file: str) -> bool:
    found = _SERVER.fullmatch(file)
    return found is not None and start_time(int(found[1])) == int(found[2])


def _path(place: str, name: str) -> str:
    return os.path.join(place, f"{_PREFIX}{name}{_SUFFIX}")


def _opened(path: str, *, create: bool = False) -> int:
    """Open a folder and mark it as in use.

    Raises:
        OSError: it does not exist, cannot be opened or created, or cannot be trusted.
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
        found = os.lstat(path)
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (opened.st_dev, opened.st_ino)


def _remove_unused(place: str) -> None:
    """Remove this user's folders that no process has marked as in use: those of servers that have ended."""
    with os.scandir(place) as entries:
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
            # All its workers have ended at once, and it is about to start new ones.
            return
        for name in names:
            os.unlink(name, dir_fd=descriptor)
        os.rmdir(path)
    finally:
        os.close(descriptor)
