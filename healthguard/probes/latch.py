"""The startup latch: the memory that this pod has been ready once.

The latch belongs to the pod, and not to a worker process: the workers of one server share it through an empty file in a
private folder. A worker that replaces another while the database is down is therefore ready too.
"""

from __future__ import annotations

import contextlib

from healthguard.runner.pod.private_folder import PrivateFolder, server_file
from healthguard.runtime import log

_FILE = "ready"


class Latch:
    """The memory that the pod has been ready.

    If it cannot be shared, as on a read-only or full file system, each process has its own.

    Args:
        name: the name that the server's workers share; None to store the latch only in this process.
        server: the process that starts the workers: its PID and its start time (clock ticks since boot); None if it is
            not known. The shared latch is kept while it runs, even if all workers have ended.
    """

    def __init__(self, name: str | None, server: tuple[int, int] | None = None) -> None:
        self._name = name
        self._server = server
        self._folder: PrivateFolder | None = None
        self._is_set = False

    @property
    def is_set(self) -> bool:
        """True if the pod has been ready."""
        if not self._is_set and self._name is not None:
            for folder in PrivateFolder.existing(self._name):
                if folder.has(_FILE):
                    # The reference marks the folder as in use. Unused folders are removed.
                    self._is_set, self._folder = True, folder
                    break
        return self._is_set

    def set(self) -> bool:
        """Store that the pod is ready, in this process and for the other workers of this server.

        Return False if another worker has done so before.
        """
        self._is_set = True
        if self._name is None:
            return True
        for folder in PrivateFolder.created(self._name):
            with contextlib.suppress(OSError):
                if self._server is not None:
                    folder.put(server_file(self._server))
                is_first = folder.put(_FILE)
                self._folder = folder
                return is_first
        log.once(
            log.WARNING,
            "The workers of this server cannot share the information that the pod is ready, because no temporary "
            "folder is writable. A worker that starts while a service is unhealthy stays unready. Mount a writable "
            "folder at /tmp, or set TMPDIR to one.",
        )
        return True
