"""The ports that the tests, the demo and the replay of the outage give to their servers."""

from __future__ import annotations

import subprocess
import sys
from typing import IO, cast

from tests.support.sites import REPOSITORY

# Each process keeps its ports until both processes have printed theirs.
PROGRAM = """
import sys
from example_project.ports import free_port
print(*[free_port() for _ in range(400)], flush=True)
sys.stdin.read()
"""


def test_two_processes_never_get_the_same_port() -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    outputs = [cast(IO[str], process.stdout) for process in processes]
    ports = [port for output in outputs for port in output.readline().split()]
    for process in processes:
        process.communicate()
    assert len(ports) == 800
    assert len(set(ports)) == 800
