"""The documented first steps work unchanged in a project that ``startproject`` has created."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Any, cast

import pytest

from healthguard import __version__
from tests.repository.documentation_pages import Block, DocumentedProject, Page
from tests.repository.fresh_environment import FreshEnvironment
from tests.support.sites import REPOSITORY

README = Page(REPOSITORY / "README.md")
QUICKSTART = Page(REPOSITORY / "docs" / "quickstart.md")
PAGES = pytest.mark.parametrize("page", [README, QUICKSTART], ids=["README", "quickstart"])
INSTALLING_PAGES = pytest.mark.parametrize(
    "path", ["README.md", "docs/quickstart.md", "docs/index.md"], ids=["README", "quickstart", "index"]
)
DISTRIBUTION = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["name"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> FreshEnvironment:
    """A new environment after ``pip install .``."""
    return FreshEnvironment(tmp_path_factory.mktemp("environment") / "venv")


@pytest.fixture
def project(environment: FreshEnvironment, tmp_path: Path) -> DocumentedProject:
    """A new project in that environment."""
    return DocumentedProject(tmp_path, environment.python)


def block_for(file: str) -> Block:
    """Return the block of the quickstart page for ``file``."""
    (block,) = [block for block in QUICKSTART.blocks("python") if block.file == file]
    return block


def block_that_contains(text: str) -> Block:
    """Return the block of the quickstart page that contains ``text``."""
    (block,) = [block for block in QUICKSTART.blocks("python") if text in block.text]
    return block


def declared_services(declaration: Block) -> dict[str, Any]:
    """Return the names of the declared services; a group is a dict, a service is None."""

    def shape(node: ast.expr) -> Any:
        if isinstance(node, ast.Dict):
            entries = zip(cast(list[ast.expr], node.keys), node.values, strict=True)
            return {ast.literal_eval(key): shape(value) for key, value in entries}
        return None

    (setting,) = [node.value for node in ast.parse(declaration.text).body if isinstance(node, ast.Assign)]
    assert isinstance(setting, ast.Dict)
    services: dict[str, Any] = shape(setting)["SERVICES"]
    return services


def without_statuses(services: object) -> object:
    """Return the names of the services in a response in the form of ``declared_services()``."""
    if isinstance(services, dict):
        return {name: without_statuses(member) for name, member in services.items()}
    return None


@INSTALLING_PAGES
def test_the_documented_command_installs_this_distribution(path: str) -> None:
    """The page names the distribution, and warns that ``healthguard`` on the package index is another project."""
    text = (REPOSITORY / path).read_text()
    assert re.findall(r"^\$ pip install (\S+)$|`pip install (?!--force)([\w-]+)`", text, re.MULTILINE) in (
        [(DISTRIBUTION, "")],
        [("", DISTRIBUTION)],
    )
    assert "`healthguard` on the package index is somebody else's project" in " ".join(text.split())


def test_pip_shows_the_installed_distribution(environment: FreshEnvironment) -> None:
    """``pip install .`` in a fresh environment installs django-healthguard."""
    shown = environment.pip("show", DISTRIBUTION)
    assert f"Name: {DISTRIBUTION}\nVersion: {__version__}\n" in shown
    assert f"Location: {environment.site_packages}\n" in shown


@PAGES
def test_every_python_block_names_the_file_that_it_belongs_to(page: Page) -> None:
    """A block without the name of a file could not be pasted, and no test would run it."""
    blocks = page.blocks("python")
    assert [block.text for block in blocks if block.file is None] == []


@PAGES
def test_first_steps_work_as_they_stand(project: DocumentedProject, page: Page) -> None:
    """The project answers before and after it is migrated, and the system checks find nothing."""
    project.paste(*page.first_steps())
    checked = project.manage("check", "--fail-level", "WARNING")
    assert checked.returncode == 0, checked.stderr
    health = page.paths()[0]
    with project.serve() as running:
        reply = running.wait_until_known(health)
        assert (reply.status, reply.json["services"]["database"]) == (503, "unhealthy")
        migrated = project.manage("migrate", "--verbosity=0")
        assert migrated.returncode == 0, migrated.stderr
        reply = running.wait_for(health, 200)
        assert reply.json["services"] == {"django_config": "degraded", "database": "healthy"}
        assert {path: running.wait_for(path, 200).status for path in page.paths()} == dict.fromkeys(page.paths(), 200)


@PAGES
def test_the_declaration_works_as_it_stands(project: DocumentedProject, page: Page) -> None:
    """In a project that lacks the declared resources, each response is JSON and names the declared services."""
    project.paste(*page.first_steps(), page.declaration())
    checked = project.manage("check")
    assert (checked.returncode, "healthguard.W002" in checked.stderr) == (0, True), checked.stderr
    project.environment["HEALTHGUARD_TOKEN"] = "a-token-of-more-than-16-bytes"
    checked = project.manage("check")
    assert (checked.returncode, "healthguard.W002" in checked.stderr) == (0, False), checked.stderr
    migrated = project.manage("migrate", "--verbosity=0")
    assert migrated.returncode == 0, migrated.stderr
    declared = declared_services(page.declaration())
    with project.serve() as running:
        reply = running.wait_until_known(page.paths()[0])
        assert reply.status == 503
        assert without_statuses(reply.json["services"]) == declared
        assert reply.json["services"]["cache"] == "healthy"
        assert reply.json["services"]["database"] == "unhealthy"
        statuses = {path: running.get(path).status for path in page.paths()}
        assert statuses.pop("/api/health/live") == 200
        assert set(statuses.values()) == {503}
        sections = {name: running.wait_until_known(f"/api/health/{name}").json["status"] for name in declared}
        assert sections == {name: reply.json[name]["status"] for name in declared}


GUNICORN = ("-m", "gunicorn", "--no-control-socket", "--bind", "127.0.0.1:{port}", "mysite.wsgi")
UVICORN = ("-m", "uvicorn", "--lifespan", "off", "--port", "{port}", "mysite.asgi:application")


@pytest.mark.parametrize(("file", "command"), [("wsgi.py", GUNICORN), ("asgi.py", UVICORN)])
def test_the_wrappers_work_as_they_stand(project: DocumentedProject, file: str, command: tuple[str, ...]) -> None:
    """A probe whose Host is not in ALLOWED_HOSTS is answered without the middleware."""
    steps = [Block("python", '# settings.py\nINSTALLED_APPS += ["healthguard"]\n'), block_that_contains("urlpatterns")]
    project.paste(*steps, block_for(file))
    with project.serve(*command) as running:
        assert running.get("/api/health/live", host="192.0.2.1").status == 200
        reply = running.wait_until_known("/api/health")
        assert reply.json["services"]["database"] == "unhealthy"


def test_the_gunicorn_configuration_works_as_it_stands(project: DocumentedProject) -> None:
    """The first response of a worker contains no ``unknown`` service."""
    project.paste(*QUICKSTART.first_steps(), block_for("gunicorn.conf.py"))
    with project.serve(*GUNICORN) as running:
        assert "unknown" not in running.get("/api/health").json["services"].values()


@pytest.mark.parametrize(
    ("expires", "status", "code"),
    [("2099-12-31", "healthy", None), ("2001-01-01", "unhealthy", "license_expired")],
)
def test_the_custom_check_works_as_it_stands(
    project: DocumentedProject, expires: str, status: str, code: str | None
) -> None:
    """The documented check reports a license that has expired."""
    project.paste(*QUICKSTART.first_steps(), QUICKSTART.declaration(), block_for("checks.py"))
    registration = block_that_contains("mysite.checks")
    assert "2099-12-31" in registration.text
    project.paste(Block("python", registration.text.replace("2099-12-31", expires)))
    with project.serve() as running:
        section = running.wait_until_known("/api/health/license").json
    assert section["status"] == status
    (check,) = section["checks"]
    assert check.get("code") == code


def test_the_settings_for_tests_work_as_they_stand(project: DocumentedProject) -> None:
    """The documented settings make a request in a test run the checks on the database of the test."""
    project.paste(*QUICKSTART.first_steps(), QUICKSTART.declaration(), block_for("test_settings.py"))
    (project.folder / "test_health.py").write_text(
        "from django.test import TestCase\n"
        "class Health(TestCase):\n"
        "    def test_health(self):\n"
        "        answer = self.client.get('/api/health').json()\n"
        "        assert answer['services']['cache'] == 'healthy', answer\n"
    )
    tested = project.manage("test", "--settings", "mysite.test_settings")
    assert tested.returncode == 0, tested.stderr
    assert "Ran 1 test" in tested.stderr
