"""Draining: the pod is about to be stopped and must get no new traffic."""

from __future__ import annotations

import os

from healthguard.conf import settings
from healthguard.runtime import log


def is_draining() -> bool:
    """Return True if DRAIN_FILE exists.

    If the file cannot be checked, assume that the pod is not draining, because all pods would have the same problem.
    """
    path = settings.drain_file
    if path is None:
        return False
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        # ValueError: the path cannot be the name of a file.
        return False
    except OSError as error:
        log.once(
            log.WARNING,
            "DRAIN_FILE cannot be checked (%s), so the pod counts as not draining. Let the process read the folder.",
            type(error).__name__,
        )
        return False
    return True
