"""Servers that start as root and switch to another user, who must be able to run the interpreter of the tests."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

NOBODY = 65534
"""The user and the group that a server started as root switches to."""

_SCRIPT = """
mount --bind "$1" "$3"
mount -t tmpfs -o mode=0755 tmpfs "$2"
mkdir -p "$1"
mount --bind "$3" "$1"
shift 3
exec "$@"
"""


def launcher(folder: Path) -> list[str]:
    """Return the command prefix with which one server makes the interpreter accessible to every user.

    Other users cannot enter root's home directory, so they cannot run an interpreter there. The server gets a mount
    namespace in which that directory contains nothing but the interpreter.

    Args:
        folder: a folder of the test.
    """
    prefix = Path(sys.base_prefix).resolve()
    closed = [parent for parent in prefix.parents if not parent.stat().st_mode & stat.S_IXOTH]
    if os.geteuid() != 0 or not closed:
        return []
    held = folder / "interpreter"
    held.mkdir()
    return ["unshare", "--mount", "sh", "-ec", _SCRIPT, "sh", str(prefix), str(closed[-1]), str(held)]
