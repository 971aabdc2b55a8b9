"""The files with which the processes of a pod prove that they are running, in real processes that start together."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.amounts import some_of
from tests.support.sites import REPOSITORY, UNMEASURED

STARTS, PROCESSES = some_of(80), 25
START = """
import os, sys
from healthguard.runner.pod.private_folder import PrivateFolder
from healthguard.runner.pod.store import PodStore

path, starts, processes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

def run(start, opened, end):
    # All processes begin when the parent closes the pipe.
    os.read(start[0], 1)
    try:
        store = PodStore(PrivateFolder(os.open(path, os.O_RDONLY | os.O_DIRECTORY), path), b"k" * 32)
    finally:
        os.write(opened[1], b"x")
    os.read(end[0], 1)
    # The process ends without cleaning up, so its file is left for those that start after it.
    os._exit(0 if store.is_in_place else 1)

for _ in range(starts):
    start, opened, end = os.pipe(), os.pipe(), os.pipe()
    for _ in range(processes):
        if os.fork() == 0:
            try:
                os.close(start[1])
                os.close(end[1])
                run(start, opened, end)
            finally:
                os._exit(2)
    os.close(start[1])
    for _ in range(processes):
        os.read(opened[0], 1)
    os.close(end[1])
    print(*(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(processes)))
    for descriptor in (start[0], *opened, end[0]):
        os.close(descriptor)
"""


def test_processes_that_start_together_keep_their_files(tmp_path: Path) -> None:
    """Each removes the files of the processes that have ended, while the others create theirs."""
    tmp_path.chmod(0o700)
    command = [sys.executable, "-c", START, str(tmp_path), str(STARTS), str(PROCESSES)]
    environment = {**os.environ, **UNMEASURED}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0"] * STARTS * PROCESSES, done.stderr
    assert len(list(tmp_path.glob("process-*"))) <= PROCESSES, "those of ended processes are removed"
