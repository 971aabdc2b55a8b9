"""File systems in which no file can be created. Only root can mount them."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

FULL = "size=4k,nr_inodes=1"
READ_ONLY = "size=4k,ro"


@contextlib.contextmanager
def mounted(folder: Path, options: str = FULL) -> Iterator[None]:
    """Mount a file system at a new folder, until the test ends."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("no volume can be mounted here; nothing listens for it on 127.0.0.1: ")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
