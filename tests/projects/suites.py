"""Run the test suites of third-party projects with and without the pytest plugin, and print a table of the results.

The suites are in the source distributions, which pip downloads from the package index.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import importlib.metadata
import os
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.table import table

PROJECTS: Mapping[str, Mapping[str, str]] = {
    "djangorestframework": {},
    "django-guardian": {},
    "django-model-utils": {"SQLITE": "1"},
}
"""The distributions whose suites are run, each with the environment variables that its suite needs."""

_HEADER = ("", "version", "collected", "collected with the plugin", "results", "results with the plugin", "items")
_OUTPUT_SHOWN = 2000
"""The length of the end of the output that is shown (characters)."""


@dataclasses.dataclass(frozen=True)
class Suite:
    """The suite of a project.

    Args:
        folder: the folder of the extracted source distribution.
        environment: the environment variables of its processes.
    """

    folder: Path
    environment: Mapping[str, str]

    def ids(self, *arguments: str) -> list[str]:
        """Return the ids of the items that pytest collects."""
        return [line for line in self._run("--collect-only", "-q", *arguments).splitlines() if "::" in line]

    def outcomes(self, *arguments: str) -> dict[tuple[str, str], str]:
        """Return the outcome of each test, by its class and its name."""
        with tempfile.TemporaryDirectory(prefix="healthguard-suites-") as folder:
            path = Path(folder, "junit.xml")
            output = self._run("-q", f"--junitxml={path}", *arguments)
            if not path.exists():
                raise ChildProcessError(output[-_OUTPUT_SHOWN:])
            cases = ET.parse(path).getroot().iter("testcase")
        return {(case.get("classname", ""), case.get("name", "")): _outcome(case) for case in cases}

    def _run(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        return done.stdout


def main() -> int:
    """Run the suites, and return 1 if one of them is not the same with the plugin."""
    parser = argparse.ArgumentParser(prog="python -m tests.projects.suites", description=__doc__)
    parser.add_argument("projects", nargs="*", metavar="project", help=f"{', '.join(PROJECTS)}; all by default")
    projects = parser.parse_args().projects or list(PROJECTS)
    if unknown := set(projects) - set(PROJECTS):
        parser.error(f"unknown project: {', '.join(sorted(unknown))}")
    rows, are_same = [], True
    for project in projects:
        with tempfile.TemporaryDirectory(prefix="healthguard-suites-") as folder:
            row, is_same = _compare(project, Suite(_download(project, Path(folder)), PROJECTS[project]))
        rows.append(row)
        are_same = are_same and is_same
    print(table(_HEADER, rows))
    return 0 if are_same else 1


def _compare(project: str, suite: Suite) -> tuple[tuple[str, ...], bool]:
    """Return the row of a project, and True if its suite is the same with the plugin and with its option."""
    ids, ids_with_plugin = suite.ids("-p", "no:healthguard"), suite.ids()
    outcomes, outcomes_with_plugin = suite.outcomes("-p", "no:healthguard"), suite.outcomes()
    with_option = suite.outcomes("--healthguard")
    items = {key: outcome for key, outcome in with_option.items() if key[0].startswith("healthguard.")}
    own = {key: outcome for key, outcome in with_option.items() if key not in items}
    row = (
        project,
        importlib.metadata.version(project),
        str(len(ids)),
        str(len(ids_with_plugin)) if ids == ids_with_plugin else "**other ids**",
        _summary(outcomes),
        _summary(outcomes_with_plugin) if outcomes == outcomes_with_plugin else "**other results**",
        _summary(items) if own == outcomes else "**other results**",
    )
    return row, bool(ids) and ids == ids_with_plugin and bool(items) and outcomes == outcomes_with_plugin == own


def _download(project: str, folder: Path) -> Path:
    """Download the source distribution of the installed version, and return the folder that it contains."""
    requirement = f"{project}=={importlib.metadata.version(project)}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*command, "--dest", str(folder), requirement], check=True, stdout=subprocess.DEVNULL)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def _outcome(case: ET.Element) -> str:
    return next((tag for tag in ("failure", "error", "skipped") if case.find(tag) is not None), "passed")


def _summary(outcomes: Mapping[tuple[str, str], str]) -> str:
    counts = collections.Counter(outcomes.values())
    words = {"passed": "passed", "failure": "failed", "error": "with an error", "skipped": "skipped"}
    return ", ".join(f"{counts[tag]} {word}" for tag, word in words.items() if counts[tag])


if __name__ == "__main__":
    sys.exit(main())
