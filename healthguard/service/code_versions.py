"""The versions of the code that this process has loaded: the files of the settings module and of the checks."""

from __future__ import annotations

import os
import sys
from typing import TypeAlias

from health_check.base import HealthCheck

CodeVersion: TypeAlias = "tuple[str, int, int]"
"""The real path of a module's file, its size (bytes), and the time of its last change (nanoseconds since 1970)."""

_versions: dict[str, CodeVersion] = {}
"""The versions by path. A forked child inherits them together with the code."""


def settings_version() -> CodeVersion | None:
    """Return the version of the settings module; None if there is none, or it is not loaded from a file."""
    return _version(os.environ.get("DJANGO_SETTINGS_MODULE", ""))


def check_versions(check: type[HealthCheck]) -> list[CodeVersion]:
    """Return the versions of the modules that define a class of checks and its bases."""
    versions = (_version(base.__module__) for base in check.__mro__)
    return [version for version in versions if version is not None]


def remember_versions() -> None:
    """Read the versions of the settings module and of the checks that it has imported.

    A file may be replaced while a server runs, and its workers still run the old code. So the versions must be read
    soon after the import, before a server forks its workers.
    """
    settings_version()
    pending: list[type[HealthCheck]] = [HealthCheck]
    while pending:
        check = pending.pop()
        check_versions(check)
        pending += type.__subclasses__(check)


def _version(module: object) -> CodeVersion | None:
    file = _file(module)
    if file is None:
        return None
    if file not in _versions:
        _versions[file] = _read_version(os.path.realpath(file))
    return _versions[file]


def _file(module: object) -> str | None:
    try:
        file = vars(sys.modules[module]).get("__file__")  # type: ignore[index]
    except Exception:
        # A module may have replaced itself with any other object.
        return None
    return file if isinstance(file, str) else None


def _read_version(path: str) -> CodeVersion:
    try:
        status = os.stat(path)
    except OSError:
        # It may be in an archive.
        return path, 0, 0
    return path, status.st_size, status.st_mtime_ns
