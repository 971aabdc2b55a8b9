"""The stages at which a root cause can be found: each runs its command in a process of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from example_project.deployment import Server
from example_project.ports import free_port
from example_project.watch import Watch
from tests.matrix.causes import Cause
from tests.support.sites import PATIENCE, REPOSITORY

Environment = Mapping[str, str]
Found = frozenset[str]
"""The codes of the problems that a stage reports. It is empty only if the command succeeds."""

_CODES_OF_SYSTEM_CHECKS = re.compile(r"\(healthguard\.([a-z_]+)\)")
_CODES_OF_PYTEST = re.compile(r"^Found by \w+: (\w+) \(", re.MULTILINE)
_BREAKING_FIXTURE = """
from django.db import connection


@pytest.fixture
def healthguard_data(healthguard_data: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute({statement!r})
"""


@dataclasses.dataclass(frozen=True)
class Stage:
    """A stage.

    Args:
        title: the title of its column.
        command: what is run, as on the command line.
        found: the function that runs it, given the environment, the statement that breaks the database, and an empty
            folder; None if it is a request.
        path: the path that is requested from a running deployment; None if it is a command.
        reads_database: False if it cannot find a fault of the database, because it only reads files.
    """

    title: str
    command: str
    found: Callable[[Environment, str, Path], Found] | None = None
    path: str | None = None
    reads_database: bool = True


def _test(environment: Environment, statement: str, folder: Path) -> Found:
    """Run pytest in a copy of the example project, whose test database is broken like that of the deployment."""
    project = Path(shutil.copytree(REPOSITORY / "example_project", folder / "example_project"))
    if statement:
        with (project / "conftest.py").open("a") as conftest:
            conftest.write(_BREAKING_FIXTURE.format(statement=statement))
    done = _run(environment, project, "pytest", "-q", "-p", "no:cacheprovider", "--healthguard=deployment")
    return _checked(done, _CODES_OF_PYTEST.findall(done.stdout))


def _system_check(environment: Environment, statement: str, folder: Path) -> Found:
    done = _run(environment, folder, "django", "check", "--deploy", "--database", "default")
    return _checked(done, _CODES_OF_SYSTEM_CHECKS.findall(done.stderr))


def _pull_request(environment: Environment, statement: str, folder: Path) -> Found:
    """Check the manifests of a deployment with this environment: the one of the example project, and a Secret."""
    requirements, manifests = folder / "requirements.json", folder / "manifests"
    shutil.rmtree(manifests, ignore_errors=True)
    manifests.mkdir()
    written = _run(environment, folder, "django", "healthguard", "requirements", "--output", str(requirements))
    assert written.returncode == 0, written.stderr
    deployment = yaml.safe_load(
        (REPOSITORY / "example_project" / "kubernetes" / "base" / "deployment.yaml").read_text()
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container["env"] = [entry for entry in container["env"] if entry["name"] in environment or "value" in entry]
    values = {
        entry["valueFrom"]["secretKeyRef"]["key"]: environment[entry["name"]]
        for entry in container["env"]
        if "valueFrom" in entry
    }
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "rsolv-secrets"}, "stringData": values}
    for name, document in (("deployment", deployment), ("secret", secret)):
        (manifests / f"{name}.yaml").write_text(yaml.safe_dump(document))
    done = _run(
        environment, folder, "healthguard.kubernetes", "--strict", "--format=json", "--requirements",
        str(requirements), str(manifests),
    )  # fmt: skip
    assert done.stdout, done.stderr
    return _checked(done, [finding["rule"].replace("-", "_") for finding in json.loads(done.stdout)["findings"]])


def _pre_deploy(environment: Environment, statement: str, folder: Path) -> Found:
    done = _run(environment, folder, "django", "healthguard", "check", "--format", "json")
    return _checked(done, [*_codes(json.loads(done.stdout))])


def _monitor(environment: Environment, statement: str, folder: Path) -> Found:
    """Run one round of a monitor, and read the codes from the message that a local webhook receives."""
    watch = Watch(folder)
    try:
        done = watch.round(_clean(environment))
    finally:
        watch.stop()
    codes = {code for alert in done.alerts for code, _ in alert.problems}
    assert done.exit_code == (1 if codes else 0), done.output
    assert len(done.alerts) == (1 if codes else 0), done.alerts
    return frozenset(codes)


def _run(environment: Environment, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=_clean(environment),
        capture_output=True,
        text=True,
        check=False,
    )


def _clean(environment: Environment) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith("PYTEST_")}


def _checked(done: subprocess.CompletedProcess[str], codes: list[str]) -> Found:
    """Return the codes. The exit code must agree with them.

    Raises:
        AssertionError: it does not.
    """
    assert done.returncode == (1 if codes else 0), done.stdout + done.stderr
    return frozenset(codes)


@contextlib.contextmanager
def served(environment: Environment) -> Iterator[Callable[[str], Found]]:
    """Provide a function that returns the codes in the answer of a new deployment to a request of a path."""
    server = Server(free_port(), dict(environment), workers=1, is_quiet=True)
    try:
        server.wait_until_live()
        yield functools.partial(_answered, server, environment["HEALTHGUARD_TOKEN"])
    finally:
        server.stop()


def _answered(server: Server, token: str, path: str) -> Found:
    ends = time.monotonic() + PATIENCE
    while True:
        status, body = server.get(path, {"Authorization": f"Bearer {token}"})
        codes = [*_codes(json.loads(body))]
        # The first runs of a service may not have ended yet.
        if "pending" not in codes or time.monotonic() > ends:
            break
        time.sleep(0.1)
    assert status == (503 if codes else 200), body
    return frozenset(codes)


def _codes(section: Mapping[str, Any]) -> Iterator[str]:
    """Yield the codes of the problems in an answer."""
    for check in section.get("checks", ()):
        if "code" in check and check["code"] != "not_run":
            yield check["code"]
    for name, member in section.items():
        if isinstance(member, dict) and name != "services":
            yield from _codes(member)


STAGES = (
    Stage("test", "pytest --healthguard=deployment", _test),
    Stage("system check", "manage.py check --deploy --database default", _system_check),
    Stage("pull request", "python -m healthguard.kubernetes", _pull_request, reads_database=False),
    Stage("pre-deploy", "manage.py healthguard check", _pre_deploy),
    Stage("startup", "curl /api/health/startup", path="/api/health/startup"),
    Stage("run", "curl /api/health", path="/api/health"),
    Stage("monitor", "manage.py healthguard monitor --once", _monitor),
)
"""The stages in the life of a deployment."""


def blind_stages(cause: Cause) -> list[Stage]:
    """Return the stages that cannot find a cause, because it is in the database and they only read files."""
    return [stage for stage in STAGES if cause.statement and not stage.reads_database]
