"""One project on one fresh database."""

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
from tests.sites import REPOSITORY

_MOST_TOLD = 1000
"""How much of what a process wrote is told, from its end (characters)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Args:
        seconds: how long it took.
        error: what the project's processes said when they failed; nothing else is known then.
        models: how many models there are.
        tables: how many tables they have.
        seen: how many of these healthguard has looked at; 0 where it does not say, as it found something.
        unmade: the project's apps whose models have changed since their migrations were made.
        problems: what healthguard told of the database as the project's migrations have left it.
        milliseconds: how long its first run took.
        dropped: the column that was then dropped.
        is_named: whether healthguard told that it is missing.
    """

    seconds: float
    error: str = ""
    models: int = 0
    tables: int = 0
    seen: int = 0
    unmade: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    milliseconds: float = 0.0
    dropped: str = ""
    is_named: bool = False

    @property
    def is_quiet(self) -> bool:
        """Whether there was nothing to tell of an intact database."""
        return not (self.error or self.problems)

    @property
    def is_good(self) -> bool:
        """Whether it is quiet, though it has looked at every table and does tell what is missing."""
        return self.is_quiet and self.seen == self.tables and self.is_named


def attempt(project: str, url: str) -> Outcome:
    """Migrate ``project`` into the empty database at ``url``, and ask there, before and after some damage."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="healthguard-projects-") as folder:
        # Where the migrations of the site's own models are written to.
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
            migrated, asked = (_inside(step, folder, environment) for step in ("migrate", "ask"))
        except ChildProcessError as error:
            return Outcome(time.monotonic() - begin, str(error))
    before, after = asked["before"], asked["after"]
    return Outcome(
        time.monotonic() - begin,
        models=asked["models"],
        tables=asked["tables"],
        seen=sum(check["evidence"]["tables"] for check in before["checks"] if "tables" in check.get("evidence", ())),
        unmade=tuple(migrated["unmade"]),
        problems=tuple(_problems(before)),
        milliseconds=before["duration_ms"],
        dropped=asked["dropped"],
        is_named=after["status"] == "unhealthy" and any(asked["dropped"] in told for told in _problems(after)),
    )


def _inside(step: str, folder: str, environment: dict[str, str]) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "tests.projects.inside", step],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ChildProcessError(f"{step} failed: {(done.stdout + done.stderr).strip()[-_MOST_TOLD:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _problems(section: dict[str, Any]) -> list[str]:
    """What the checks of a service tell, a text each; of one that is not healthy at least one."""
    told = [json.dumps(check) for check in section["checks"] if "code" in check]
    return told if told or section["status"] == "healthy" else [json.dumps(section)]
