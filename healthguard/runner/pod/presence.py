"""The proof that a process is running: a lock that the kernel releases when the process ends, however it ends.

A POSIX record lock is used, because it belongs to the process alone: a forked child does not inherit it. It is lost if
the process closes any descriptor of the file, so a process never opens its own file a second time.
"""

from __future__ import annotations

import os
import secrets
import sys
import weakref

from healthguard.runner.pod.private_folder import PrivateFolder

try:
    import fcntl
except ImportError:  # Windows, on which the processes of a server share nothing
    fcntl = None  # type: ignore[assignment]

_PREFIX = "process-"
_TOKEN_BYTES = 8

_own_tokens: set[str] = set()
"""The tokens of this process."""


class Presence:
    """This process, as the other processes of the pod see it.

    Args:
        folder: the folder that they share.

    Raises:
        OSError: its file cannot be created or locked.
    """

    def __init__(self, folder: PrivateFolder) -> None:
        self._folder = folder
        for _ in range(100):
            self.token = secrets.token_hex(_TOKEN_BYTES)
            descriptor = folder.opened(_PREFIX + self.token, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # A process that looks for leftovers may have removed it before it was locked.
                if os.fstat(descriptor).st_nlink:
                    break
            except BlockingIOError:
                pass
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
        else:
            raise FileNotFoundError("the file of this process was always removed")
        _own_tokens.add(self.token)
        self.end = weakref.finalize(self, _close, self.token, descriptor)
        """Release the lock, as the end of the process does."""
        self.end.atexit = False

    @property
    def is_in_place(self) -> bool:
        """True if the file of this process has not been removed."""
        return self._folder.contains(_PREFIX + self.token)

    def is_running(self, token: str, *, is_to_remove: bool = False) -> bool:
        """Return True if the process with this token is running, or if its file cannot be opened or locked.

        A process that is stopped is running too.

        Args:
            token: the token of the process.
            is_to_remove: True to remove the file of a process that is not running.
        """
        if token in _own_tokens:
            return True
        try:
            descriptor = self._folder.opened(_PREFIX + token, os.O_RDONLY)
        except (FileNotFoundError, ValueError):
            return False
        except OSError:
            return True
        try:
            # A shared lock conflicts with that of the process, but not with those of others that check it now.
            fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if is_to_remove:
                # While it is locked: a process that has just created the file may be about to lock it.
                self._folder.remove(_PREFIX + token)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def remove_ended(self) -> list[str]:
        """Remove the files of processes that have ended, and return the tokens of those that are running."""
        running = []
        for name in self._folder.names():
            if name.startswith(_PREFIX):
                token = name.removeprefix(_PREFIX)
                if self.is_running(token, is_to_remove=True):
                    running.append(token)
        return running


def _close(token: str, descriptor: int) -> None:
    _own_tokens.discard(token)
    os.close(descriptor)


if sys.platform != "win32":
    # A child is another process, which must be able to find that its parent has ended.
    os.register_at_fork(after_in_child=_own_tokens.clear)
