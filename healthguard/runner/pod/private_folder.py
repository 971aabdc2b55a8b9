"""Folders that the processes of one server share, and that no other user can read, write or replace."""

from __future__ import annotations

import contextlib
import errno
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
        path: the path of the folder.
    """

    def __init__(self, descriptor: int, path: str) -> None:
        self._descriptor = descriptor
        self._path = path
        # At the exit of the process the kernel closes it, when no thread can use its number any more.
        weakref.finalize(self, os.close, descriptor).atexit = False

    @classmethod
    def existing(cls, name: str) -> Iterator[PrivateFolder]:
        """Yield the existing folders called ``name`` that are private to this user."""
        for directory in places():
            with contextlib.suppress(OSError):
                path = _path(directory, name)
                yield cls(_opened(path), path)

    @classmethod
    def created(cls, name: str) -> Iterator[PrivateFolder]:
        """Create the folder called ``name`` in one directory after the other, and yield each that could be created.

        This user's folders that are no longer in use are removed first.
        """
        for directory in places():
            path = _path(directory, name)
            with contextlib.suppress(OSError):
                _remove_unused(directory)
                yield cls(_opened(path, create=True), path)

    def has(self, file: str) -> bool:
        """Return True if ``file`` exists as :meth:`put` creates it: empty, owned by this user, with one hard link."""
        try:
            status = os.stat(file, dir_fd=self._descriptor, follow_symlinks=False)
        except OSError:
            return False
        is_plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_size == 0
        return is_plain and status.st_uid == os.geteuid()

    def contains(self, file: str) -> bool:
        """Return True if ``file`` exists, or if that cannot be found out."""
        try:
            os.stat(file, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def put(self, file: str) -> bool:
        """Create the empty ``file``. Return False if it exists already.

        Raises:
            OSError: it cannot be created.
        """
        try:
            os.close(self.opened(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return False
        return True

    @property
    def is_in_place(self) -> bool:
        """True if the folder has not been removed or replaced."""
        return _is_at(self._path, os.fstat(self._descriptor))

    def make(self, subfolder: str) -> None:
        """Create ``subfolder``, unless it exists.

        Raises:
            OSError: it cannot be created.
        """
        with contextlib.suppress(FileExistsError):
            os.mkdir(subfolder, 0o700, dir_fd=self._descriptor)

    def names(self, subfolder: str = ".") -> list[str]:
        """Return the names of the files in ``subfolder``; none if it does not exist.

        Anything else that has its name, like a link, is removed.

        Raises:
            OSError: the folder cannot be read.
        """
        # A descriptor of its own, because threads that list the folder through the same one share its position.
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
        try:
            descriptor = os.open(subfolder, flags, dir_fd=self._descriptor)
        except FileNotFoundError:
            return []
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            self.remove(subfolder)
            return []
        try:
            return os.listdir(descriptor)
        finally:
            os.close(descriptor)

    def opened(self, file: str, flags: int) -> int:
        """Open ``file``, and return its descriptor.

        Raises:
            OSError: it cannot be opened, or it is a link.
        """
        return os.open(file, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600, dir_fd=self._descriptor)

    def read(self, file: str, limit: int) -> bytes | None:
        """Return the content of ``file``; None if it does not exist.

        It is empty if the file is a link, is not a regular file, or has more than ``limit`` bytes.

        Raises:
            OSError: it cannot be read.
        """
        try:
            descriptor = self.opened(file, os.O_RDONLY)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):
                return b""
            raise
        with open(descriptor, "rb", buffering=0) as opened:
            is_regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
            content = opened.read(limit + 1) or b"" if is_regular else b""
        return content if len(content) <= limit else b""

    def write(self, file: str, content: bytes) -> None:
        """Create ``file`` with this content.

        Raises:
            OSError: it exists, or cannot be written.
        """
        with open(self.opened(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY), "wb") as opened:
            opened.write(content)

    def rename(self, file: str, new: str) -> None:
        """Give ``file`` another name, in place of the file that has it.

        Raises:
            OSError: it cannot be renamed.
        """
        os.rename(file, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def link(self, file: str, new: str) -> None:
        """Give ``file`` a second name.

        Raises:
            FileExistsError: another file has it.
            OSError: the file system does not allow it.
        """
        os.link(file, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor, follow_symlinks=False)

    def remove(self, file: str) -> bool:
        """Remove ``file``; return False if it does not exist or cannot be removed."""
        try:
            os.unlink(file, dir_fd=self._descriptor)
        except OSError:
            return False
        return True


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
        # If all workers of a server have ended at once, it is about to start new ones. They must be able to open the
        # folder, even while this process is stopped. So the folder of a running server is not locked.
        if any(map(_is_running, os.listdir(descriptor))):
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        names = os.listdir(descriptor)
        if any(map(_is_running, names)):
            return
        for name in names:
            _remove_entry(name, descriptor)
        os.rmdir(path)
    finally:
        os.close(descriptor)


def _remove_entry(name: str, folder: int) -> None:
    """Remove a file, or a subfolder with its files."""
    try:
        os.unlink(name, dir_fd=folder)
    except (IsADirectoryError, PermissionError):
        # macOS raises PermissionError for a folder.
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
        try:
            for file in os.listdir(descriptor):
                os.unlink(file, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        os.rmdir(name, dir_fd=folder)
