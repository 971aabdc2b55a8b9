"""The fixtures of the tests of the command: a project, and the command in a process of its own."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.sites import Site

OUTCOMES = """
import time
from healthguard import Degraded, Fault, Unhealthy
from healthguard.checks.base import Check
import dataclasses

@dataclasses.dataclass(repr=False)
class Passes(Check):
    def run(self):
        return {"rows": 3}

@dataclasses.dataclass(repr=False)
class Fails(Check):
    message: str = "The plug is out."
    code: str = "plug_out"
    fault: str = "config"
    def run(self):
        raise Unhealthy(self.code, self.message, fault=Fault(self.fault), hint="Put it in.", evidence={"plug": "red"})

@dataclasses.dataclass(repr=False)
class Warns(Check):
    def run(self):
        raise Degraded("plug_loose", "The plug is loose.", fault=Fault.CONFIG, hint="Press it in.")

@dataclasses.dataclass(repr=False)
class Hangs(Check):
    def run(self):
        time.sleep(100_000)
"""


@dataclasses.dataclass(frozen=True)
class Done:
    """A process that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Project:
    """A project in a folder, and its command.

    Args:
        site: the project.
    """

    def __init__(self, site: Site) -> None:
        self.site = site

    def declare(self, services: str, *, more: str = "", **settings: object) -> Project:
        """Declare services, given as the Python code of a dict. Return the project.

        Args:
            services: the code.
            more: the code of other settings.
            settings: the other keys of the HEALTHGUARD setting.
        """
        lines = [f"HEALTHGUARD[{name!r}] = {value!r}" for name, value in settings.items()]
        code = ["from outcomes import *", f'HEALTHGUARD = {{"SERVICES": {services}}}', *lines, more]
        self.site.write("\n".join(["", *code, ""]), outcomes=OUTCOMES)
        return self

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of ``manage.py healthguard``."""
        return [sys.executable, "-m", "django", "healthguard", *arguments]

    def check(self, *arguments: str, **environment: str) -> Done:
        """Run ``manage.py healthguard check``."""
        done = subprocess.run(
            self.command("check", *arguments),
            cwd=self.site.folder,
            env={**self.site.env, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def help(self, *arguments: str) -> str:
        """Return the help that ``manage.py healthguard`` prints with these arguments on a terminal of 80 columns."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.site.folder,
            env={**self.site.env, "COLUMNS": "80"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project with SQLite."""
    site = Site(tmp_path)
    yield Project(site)
    site.stop()
