"""A folder that one server's processes share, and that no other user can read, write or replace."""

from __future__ import annotations

import contextlib
import os
import stat
import time
import weakref
from collections.abc import Iterator

try:
    import fcntl
except ImportError:  # Windows, where no server shares a folder
    fcntl = None  # type: ignore[assignment]

_PREFIX = "healthguard-"
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
                yield cls(_opened(os.path.join(place, _PREFIX + name)))

    @classmethod
    def created(cls, name: str) -> Iterator[PrivateFolder]:
        """Create the folder called ``name`` in one place after the other, and yield it where that was possible.

        Folders of this user that no process uses any more are removed first.
        """
        for place in places():
            path = os.path.join(place, _PREFIX + name)
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
    if not entry.name.startswith(_PREFIX) or len(entry.name) != len(_PREFIX) + 32:
        return False
    try:
        return entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid == os.geteuid()
    except OSError:
        return False


def _remove_if_unused(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for name in os.listdir(descriptor):
            os.unlink(name, dir_fd=descriptor)
        os.rmdir(path)
    finally:
        os.close(descriptor)
