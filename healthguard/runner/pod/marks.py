"""The marks: random bytes that are others after every change of an outcome.

They are in one file. It begins with the mark of the pod, which a process reads to know that nothing has changed. The
marks of the services follow, each at a place that its key determines. They show which services have changed.
"""

from __future__ import annotations

import os
import secrets
import weakref

from healthguard.runner.pod.private_folder import PrivateFolder

FILE = "mark"
POD_BYTES = 16
"""The size of the mark of the pod (bytes)."""
_SERVICE_BYTES = 8
_PLACES = 4096
"""The number of places for the marks of services. Services that share a place are read more often than needed."""


class Marks:
    """The file of the marks.

    Args:
        folder: the pod's private folder.

    Raises:
        OSError: the file cannot be opened or written.
    """

    def __init__(self, folder: PrivateFolder) -> None:
        self._descriptor = folder.opened(FILE, os.O_RDWR | os.O_CREAT)
        weakref.finalize(self, os.close, self._descriptor).atexit = False
        self._renew_pod()

    @property
    def pod(self) -> bytes:
        """The mark of the pod.

        Raises:
            OSError: it cannot be read.
        """
        return os.pread(self._descriptor, POD_BYTES, 0)

    def services(self) -> bytes:
        """Return the marks of all services; see :func:`mark_of`.

        Raises:
            OSError: they cannot be read.
        """
        return os.pread(self._descriptor, _PLACES * _SERVICE_BYTES, POD_BYTES)

    def renew(self, service: str) -> None:
        """Change the mark of a service and that of the pod.

        Raises:
            OSError: they cannot be written.
        """
        # In this order, so that whoever reads the new mark of the pod also reads the new one of the service.
        os.pwrite(self._descriptor, secrets.token_bytes(_SERVICE_BYTES), POD_BYTES + _place(service))
        self._renew_pod()

    def _renew_pod(self) -> None:
        os.pwrite(self._descriptor, secrets.token_bytes(POD_BYTES), 0)


def mark_of(service: str, marks: bytes) -> bytes:
    """Return the mark of a service, which changes with every new outcome.

    Args:
        service: the service's key, 16 hexadecimal digits.
        marks: the marks of all services.
    """
    place = _place(service)
    # The file ends after the last mark that was ever written.
    return marks[place : place + _SERVICE_BYTES].ljust(_SERVICE_BYTES, b"\0")


def _place(service: str) -> int:
    """Return the place of a service's mark among those of all services (bytes from the beginning)."""
    return int(service, 16) % _PLACES * _SERVICE_BYTES
