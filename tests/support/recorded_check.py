"""A check whose runs are recorded in a file, as the source of a module of a served site."""

from __future__ import annotations

RECORDED = """
import os, pathlib, time
from health_check.base import HealthCheck
from health_check.exceptions import ServiceUnavailable
HERE = pathlib.Path(__file__).parent

class Recorded(HealthCheck):
    # Writes a line when it begins, waits while the file "hold" exists, and fails while the file "off" exists.
    def run(self):
        with open(HERE / "runs", "a") as runs:
            runs.write(f"{os.getpid()}\\n")
        while (HERE / "hold").exists():
            time.sleep(0.01)
        if (HERE / "off").exists():
            raise ServiceUnavailable("off")

class OfProcess(Recorded):
    scope = "process"
"""
