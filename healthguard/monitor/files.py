"""The files of the monitor: replaced as a whole, so that neither a crash nor a full disk leaves half of one."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, on which nothing keeps two monitors from using one file
    fcntl = None  # type: ignore[assignment]

_PRIVATE = 0o600
_MAX_BYTES = 50_000_000


class LockedError(Exception):
    """Another process uses the file."""


class DamagedError(Exception):
    """The content of a file is not JSON, or of another form."""


class Lock:
    """A lock that this process holds until it ends, however it ends. The file remains.

    Args:
        path: the path of the file.

    Raises:
        LockedError: another process holds it.
        OSError: the file cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
        if fcntl is None:
            return
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise LockedError from None

    def release(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)


def read_document(path: Path) -> object:
    """Return the content of a JSON file.

    Raises:
        FileNotFoundError: the file does not exist.
        DamagedError: it is not JSON, or is larger than any file of the monitor.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise DamagedError
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise DamagedError from None


def write_document(path: Path, document: object, before_step: Callable[[str], None] = lambda step: None) -> None:
    """Replace the content of a JSON file. After a crash, the file has its old or its new content.

    Args:
        path: the path of the file.
        document: the new content.
        before_step: a function that is called before each step with its name. Tests use it to end the process there.

    Raises:
        OSError: it cannot be written. The file has its old content.
    """
    content = json.dumps(document, separators=(",", ":")).encode()
    new = path.with_name(f"{path.name}.new")
    try:
        before_step("create")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _PRIVATE)
        with open(descriptor, "wb") as file:
            before_step("write")
            file.write(content)
            file.flush()
            before_step("fsync")
            os.fsync(file.fileno())
        before_step("replace")
        os.replace(new, path)
    except BaseException:
        # A signal too may end the monitor here.
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
    before_step("fsync folder")
    _sync_folder(path.parent)


def set_aside(path: Path) -> Path:
    """Rename a damaged file, so that a new one can be written, and return its new path.

    Raises:
        OSError: it cannot be renamed.
    """
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    os.replace(path, aside)
    return aside


def _sync_folder(folder: Path) -> None:
    """Make a rename durable, where folders can be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
