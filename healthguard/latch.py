"""The startup latch: the memory that this pod has been ready once.

"Once" belongs to the pod, not to a worker process: the workers of one server share it through an empty file in a
private folder. A worker that replaces another while the database is down is then still part of a ready pod.
"""

from __future__ import annotations

import contextlib

from healthguard import log
from healthguard.private_folder import PrivateFolder, server_file

_FILE = "ready"


class Latch:
    """The memory that the pod was ready.

    Where it cannot be shared, because of a read-only or full file system for example, each process has its own.

    Args:
        name: the name that the server's workers share; None to remember in this process alone.
        server: the process that starts the workers, if it is known: its number, and when it was started. The shared
            latch is kept for as long as it runs, even if all workers have ended.
    """

    def __init__(self, name: str | None, server: tuple[int, int] | None = None) -> None:
        self._name = name
        self._server = server
        self._folder: PrivateFolder | None = None
        self._is_set = False

    @property
    def is_set(self) -> bool:
        """Return True if the pod has been ready."""
        if not self._is_set and self._name is not None:
            for folder in PrivateFolder.existing(self._name):
                if folder.has(_FILE):
                    # As long as a process holds the folder, it is not removed as unused.
                    self._is_set, self._folder = True, folder
                    break
        return self._is_set

    def set(self) -> None:
        """Remember that the pod is ready."""
        self._is_set = True
        if self._name is None:
            return
        for folder in PrivateFolder.created(self._name):
            with contextlib.suppress(OSError):
                if self._server is not None:
                    folder.put(server_file(self._server))
                folder.put(_FILE)
                self._folder = folder
                return
        log.once(
            log.WARNING,
            "The workers of this server cannot share that the pod is ready, because no temporary folder can be "
            "written to: each becomes ready by itself. Mount a writable folder at /tmp, or name one in TMPDIR.",
        )
