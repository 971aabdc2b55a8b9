"""A project in a folder, and pytest in a process of its own that runs its tests."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.management import outcomes
from tests.support.sites import Site

OUTCOMES = Path(outcomes.__file__).read_text()
INI = """
[pytest]
pythonpath = .
{more}
"""
OWN_TEST = """
def test_own():
    pass
"""

_UNUSED = ("anyio", "hypothesispytest", "pytest_httpserver", "timeout")
"""The plugins without which a process starts twice as fast."""
_WORDS = "PASSED|FAILED|SKIPPED|ERROR"
_OUTCOME = re.compile(
    rf"^(?:\[gw\d+\] \[ *\d+%\] (?P<first>{_WORDS}) (?P<worker_id>.+?) *|(?P<id>\S+::.+?) (?P<last>{_WORDS})\b.*)$"
)


@dataclasses.dataclass(frozen=True)
class Finished:
    """A run of pytest that has ended."""

    code: int
    output: str

    @property
    def outcomes(self) -> dict[str, str]:
        """The outcomes of the items, by their ids. The option -v is required."""
        matches = [match for line in self.output.splitlines() if (match := _OUTCOME.match(line))]
        return {match["id"] or match["worker_id"]: (match["first"] or match["last"]).lower() for match in matches}

    @property
    def of_checks(self) -> dict[str, str]:
        """The outcomes of the items that are not sabotages."""
        return {name: outcome for name, outcome in self.outcomes.items() if "[" not in name}

    @property
    def of_sabotages(self) -> dict[str, str]:
        """The outcomes of the sabotages."""
        return {name: outcome for name, outcome in self.outcomes.items() if "[" in name}

    @property
    def ids(self) -> list[str]:
        """The ids of the items, after a run with --collect-only and -q."""
        return [line for line in self.output.splitlines() if "::" in line]

    def failure(self, title: str) -> str:
        """Return the text of one failure."""
        block = re.search(rf"^_+ {re.escape(title)} _+\n(.*?)^(?:___|===)", self.output, re.MULTILINE | re.DOTALL)
        assert block is not None, self.output
        return block[1].strip()


def run_pytest(folder: Path, *arguments: str, env: Mapping[str, str]) -> Finished:
    """Run pytest in ``folder``, with the environment ``env``."""
    # A process of the tests may itself be one of several that pytest-xdist has started, or be configured for this run.
    clean = {name: value for name, value in env.items() if not name.startswith(("PYTEST_", "TOX_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *(f"-pno:{name}" for name in _UNUSED), *arguments],
        cwd=folder,
        env={**clean, "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Finished(done.returncode, done.stdout)


class Suite:
    """A project with SQLite, and a test of its own.

    Args:
        site: the project.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.write_ini()
        self.write("tests/test_own.py", OWN_TEST)

    def write(self, name: str, text: str) -> Suite:
        """Write a file of the project. Return the suite."""
        path = self.site.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return self

    def write_ini(self, more: str = "DJANGO_SETTINGS_MODULE = site_settings") -> Suite:
        """Write the configuration of pytest. Return the suite."""
        return self.write("pytest.ini", INI.format(more=more))

    def declare(self, services: str, *, more: str = "", checks: str = "") -> Suite:
        """Declare services, given as the Python code of a dict. Return the suite.

        Args:
            services: the code.
            more: the code of other settings.
            checks: the code of a module with further checks.
        """
        code = [
            "from outcomes import *",
            "from more_checks import *",
            f'HEALTHGUARD = {{"SERVICES": {services}}}',
            more,
        ]
        self.site.write("\n".join(["", *code, ""]), outcomes=OUTCOMES, more_checks=checks)
        return self

    def run(self, *arguments: str, **environment: str | None) -> Finished:
        """Run pytest in the folder of the project. None removes a variable."""
        env = {**self.site.env, **environment}
        return run_pytest(
            self.site.folder, *arguments, env={name: value for name, value in env.items() if value is not None}
        )


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """A project with SQLite, and a test of its own."""
    return Suite(Site(tmp_path))


@pytest.fixture(scope="module")
def suite_of_module(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """A project with SQLite, and a test of its own, for all tests of a module."""
    return Suite(Site(tmp_path_factory.mktemp("suite")))
