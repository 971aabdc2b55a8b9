"""``manage.py healthguard check --wait``: it waits for what may recover, and for nothing else."""

from __future__ import annotations

import subprocess

from tests.management.conftest import Project
from tests.support.links import Link
from tests.support.sites import wait_until

SWITCH = """
import dataclasses, pathlib
from healthguard import Fault, Unhealthy
from healthguard.checks.base import Check

@dataclasses.dataclass(repr=False)
class Switched(Check):
    fault: str
    def run(self):
        if not pathlib.Path("on").exists():
            raise Unhealthy("switched_off", "The switch is off.", fault=Fault(self.fault), hint="Turn it on.")
"""

POSTGRESQL = "import dj_database_url; DATABASES = {'default': dj_database_url.parse(os.environ['DATABASE_URL'])}"


def switched(project: Project, fault: str) -> Project:
    """Declare a service that is healthy as soon as the file "on" exists."""
    project.declare(f'{{"switched": __import__("switch").Switched({fault!r})}}')
    (project.site.folder / "switch.py").write_text(SWITCH)
    return project


class Waiting:
    """A command that is running, and its standard error so far."""

    def __init__(self, project: Project, *arguments: str) -> None:
        self._errors = project.site.folder / "stderr"
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                project.command("check", *arguments),
                cwd=project.site.folder,
                env=project.site.env,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    def end(self) -> tuple[int, str]:
        """Return the exit code and the output."""
        out, _ = self.process.communicate()
        return self.process.returncode, out


def test_outage_that_ends_is_waited_for(project: Project) -> None:
    waiting = Waiting(switched(project, "outage"), "--wait", "600")
    wait_until(lambda: "Waiting for up to 600 s: switched: The switch is off." in waiting.errors)
    (project.site.folder / "on").touch()
    code, out = waiting.end()
    assert code == 0
    assert "Healthy: 1 service" in out


def test_reason_is_written_once(project: Project) -> None:
    done = switched(project, "outage").check("--wait", "2")
    assert done.code == 1
    assert done.err.count("Waiting") == 1


def test_wrong_configuration_ends_the_wait_at_once(project: Project) -> None:
    """The command would otherwise end after an hour."""
    done = switched(project, "config").check("--wait", "3600")
    assert (done.code, done.err) == (1, "")


def test_wrong_configuration_is_waited_for_on_request(project: Project) -> None:
    waiting = Waiting(switched(project, "config"), "--wait", "600", "--wait-for-config")
    wait_until(lambda: "Waiting" in waiting.errors)
    (project.site.folder / "on").touch()
    assert waiting.end()[0] == 0


def test_wrong_configuration_that_is_allowed_does_not_end_the_wait(project: Project) -> None:
    switched(project, "outage")
    project.declare('{"switched": __import__("switch").Switched("outage"), "bad": Fails()}')
    (project.site.folder / "switch.py").write_text(SWITCH)
    waiting = Waiting(project, "--wait", "600", "--allow", "plug_out")
    wait_until(lambda: "Waiting" in waiting.errors)
    (project.site.folder / "on").touch()
    assert waiting.end()[0] == 0


def test_invalid_declaration_ends_the_wait_at_once(project: Project) -> None:
    assert project.declare("[]").check("--wait", "3600").code == 2


def test_hanging_check_does_not_prolong_the_wait(project: Project) -> None:
    """Its timeout is an hour."""
    done = project.declare('{"slow": Service(Hangs(), timeout=3600)}').check("--wait", "1")
    assert done.code == 1


def test_database_that_starts_later_is_waited_for(project: Project, link: Link) -> None:
    """The command is the init container of a pod that starts before its database."""
    project.site.environment["DATABASE_URL"] = link.url
    project.declare('{"database": "health_check.checks.Database"}', more=POSTGRESQL)
    link.down()
    waiting = Waiting(project, "--wait", "600")
    wait_until(lambda: "Waiting" in waiting.errors, lambda: waiting.errors)
    link.up()
    assert waiting.end()[0] == 0


def test_wrong_database_ends_the_wait_at_once(project: Project, link: Link) -> None:
    project.site.environment["DATABASE_URL"] = link.url
    project.declare('{"database": [DatabaseName("another"), AppliedMigrations()]}', more=POSTGRESQL)
    done = project.check("--wait", "3600")
    assert done.code == 1
    assert "wrong_database" in done.out
