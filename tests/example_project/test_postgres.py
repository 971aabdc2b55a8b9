"""The PostgreSQL that the tests and ``make outage`` start, on a machine that has other users."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sites import REPOSITORY

START = """
from example_project.postgres import postgres
with postgres() as server:
    print(server.execute("SELECT 1"))
"""


@pytest.mark.parametrize("runtime", [None, "/proc/1/root"], ids=["no folder", "another user's folder"])
def test_server_starts_in_spite_of_files_of_other_users(public_folder: Path, runtime: str | None) -> None:
    """A second user of the machine can start a server, even after ``su``, which does not change XDG_RUNTIME_DIR."""
    # The wheel's own start() opens this file, which belongs to the first user. Even root cannot open a folder.
    (public_folder / ".lockfile").mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(public_folder), "XDG_RUNTIME_DIR": runtime or ""}
    environment.pop("DATABASE_URL", None)
    if runtime is None:
        del environment["XDG_RUNTIME_DIR"]
    done = subprocess.run(
        [sys.executable, "-c", START], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[(1,)]"), done.stderr
