"""A trial of one project on one fresh database."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.projects.catalogue import settings_of
from tests.support.sites import REPOSITORY

_OUTPUT_SHOWN = 1000
"""The length of the end of a process's output that is shown (characters)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a trial.

    Args:
        seconds: the duration.
        error: the output of the project's processes if they failed. Then all other fields are empty.
        models: the number of models.
        tables: the number of their tables.
        checked: the number of tables that healthguard has checked; 0 if it reported a problem.
        changed_apps: the project's apps whose models have changed since their migrations were made.
        problems: the problems that healthguard reported after the migrations of the project.
        milliseconds: the duration of the first run.
        dropped: the column that was then dropped.
        is_named: True if healthguard reported this column as missing.
    """

    seconds: float
    error: str = ""
    models: int = 0
    tables: int = 0
    checked: int = 0
    changed_apps: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    milliseconds: float = 0.0
    dropped: str = ""
    is_named: bool = False

    @property
    def is_quiet(self) -> bool:
        """True if healthguard reported no problem of an intact database."""
        return not (self.error or self.problems)

    @property
    def is_good(self) -> bool:
        """True if all tables were checked, and only the dropped column was reported."""
        return self.is_quiet and self.checked == self.tables and self.is_named


def attempt(project: str, url: str) -> Outcome:
    """Migrate ``project`` into the empty database at ``url``, and check it before and after a column is dropped."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="healthguard-projects-") as folder:
        # The migrations of the site's own models are written to this package.
        made = Path(folder, "made")
        made.mkdir()
        (made / "__init__.py").touch()
        environment = {
            **os.environ,
            "DATABASE_URL": url,
            "DJANGO_SETTINGS_MODULE": settings_of(project),
            "PYTHONPATH": f"{folder}{os.pathsep}{REPOSITORY}",
        }
        try:
            migrated, checked = (_inside(step, folder, environment) for step in ("migrate", "check"))
        except ChildProcessError as error:
            return Outcome(time.monotonic() - begin, str(error))
    before, after = checked["before"], checked["after"]
    return Outcome(
        time.monotonic() - begin,
        models=checked["models"],
        tables=checked["tables"],
        checked=sum(check["evidence"]["tables"] for check in before["checks"] if "tables" in check.get("evidence", ())),
        changed_apps=tuple(migrated["changed_apps"]),
        problems=tuple(_problems(before)),
        milliseconds=before["duration_ms"],
        dropped=checked["dropped"],
        is_named=after["status"] == "unhealthy" and any(checked["dropped"] in problem for problem in _problems(after)),
    )


def _inside(step: str, folder: str, environment: dict[str, str]) -> Any:
    """Run a step of :mod:`tests.projects.inside` in a new process, and return its result."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.projects.inside", step],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ChildProcessError(f"{step} failed: {(done.stdout + done.stderr).strip()[-_OUTPUT_SHOWN:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _problems(section: dict[str, Any]) -> list[str]:
    """Return the problems of a service as texts, at least one if it is not healthy."""
    problems = [json.dumps(check) for check in section["checks"] if "code" in check]
    return problems if problems or section["status"] == "healthy" else [json.dumps(section)]
