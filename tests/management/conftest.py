"""The fixtures of the tests of the command: in a process of its own, and in the process of the tests."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import BaseCommand
from django.test import override_settings

from example_project.webhook_receiver import WebhookReceiver
from healthguard import Service, checks
from healthguard.management.commands.healthguard import Command as ManagementCommand
from tests.management import outcomes
from tests.support.sites import Site

OUTCOMES = (Path(__file__).parent / "outcomes.py").read_text()


@dataclasses.dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Command:
    """The command, in the process of the tests. It starts a hundred times faster than a process.

    Args:
        monkeypatch: sets the environment variables.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._overrides = contextlib.ExitStack()

    def declare(self, services: str, **settings: object) -> Command:
        """Declare services, given as the Python code of a dict. Return the command."""
        names = {**vars(checks), **vars(outcomes), "Service": Service}
        declared = {"SERVICES": eval(services, names), "INLINE": False, **settings}
        self._overrides.enter_context(override_settings(HEALTHGUARD=declared))
        return self

    def restore(self) -> None:
        """Use the settings of the tests again."""
        self._overrides.close()

    def check(self, *arguments: str, **environment: str) -> Done:
        """Run ``manage.py healthguard check``."""
        return self.run("check", *arguments, **environment)

    def run(self, *arguments: str, **environment: str) -> Done:
        """Run ``manage.py healthguard`` with a subcommand and its arguments."""
        for name, value in environment.items():
            self._monkeypatch.setenv(name, value)
        out, err = io.StringIO(), io.StringIO()
        code: object = 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                # Not with run_from_argv() of the command, which ends the process without waiting for other threads.
                BaseCommand.run_from_argv(ManagementCommand(), ["manage.py", "healthguard", *arguments])
            except SystemExit as error:
                code = error.code
        assert isinstance(code, int)
        return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """The command, in the process of the tests."""
    started = Command(monkeypatch)
    yield started
    started.restore()


class Project:
    """A project in a folder, and its command in a process of its own.

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
        return self.run("check", *arguments, **environment)

    def run(self, *arguments: str, **environment: str) -> Done:
        """Run ``manage.py healthguard`` with a subcommand and its arguments."""
        done = subprocess.run(
            self.command(*arguments),
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


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookReceiver]:
    """A receiver of the messages of a monitor."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    started = WebhookReceiver()
    yield started
    started.stop()
