"""Draining: the pod is about to be stopped and must get no new traffic."""

from __future__ import annotations

import os

from healthguard.conf import settings
from healthguard.runtime import log


class DrainFileError(Exception):
    """DRAIN_FILE cannot be created or removed. The text contains the reason and the remedy, but not the path."""


def is_draining() -> bool:
    """Return True if DRAIN_FILE exists.

    If the file cannot be checked, assume that the pod is not draining, because all pods would have the same problem.
    """
    path = settings.drain_file
    if path is None:
        return False
    try:
        return _exists(path)
    except OSError as error:
        log.once(
            log.WARNING,
            "DRAIN_FILE cannot be checked (%s), so the pod counts as not draining. Let the process read the folder.",
            type(error).__name__,
        )
        return False


def create_drain_file(path: str) -> None:
    """Create a file at ``path``, unless something exists there that already makes :func:`is_draining` true.

    Raises:
        DrainFileError: it cannot be created.
    """
    try:
        if not _exists(path):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    except (OSError, ValueError) as error:
        raise DrainFileError(
            f"DRAIN_FILE could not be created ({_reason(error)}), so the ready probe does not report that the pod is "
            "draining. Set DRAIN_FILE to a file in a folder that exists, has free space, and can be written by this "
            "user, such as a volume of the type emptyDir."
        ) from None


def remove_drain_file(path: str) -> bool:
    """Remove the file at ``path``; a symbolic link is removed itself. Return False if none exists.

    Raises:
        DrainFileError: it cannot be removed, so the pod may still be draining.
    """
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        raise DrainFileError(
            f"DRAIN_FILE could not be removed ({_reason(error)}). If it exists, the pod is still draining. Remove it "
            "by hand, or set DRAIN_FILE to a file in a folder that this user can write."
        ) from None
    return True


def _exists(path: str) -> bool:
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        # ValueError: the path cannot be the name of a file.
        return False
    return True


def _reason(error: OSError | ValueError) -> str:
    """Return the reason without the path, which the text of the error contains."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "the path cannot be the name of a file"
