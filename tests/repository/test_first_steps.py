"""The first steps of a new user: a new project that declares nothing, and the demo."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from example_project.deployment import anthropic_key
from example_project.ports import free_port
from example_project.provider_simulator import Simulator
from tests.support.sites import PATIENCE, REPOSITORY, UNMEASURED, Reply, Server, Site

LISTEN_ON_80 = """
import os, sys
from example_project import demo
if os.geteuid() == 0:
    os.setuid(65534)
sys.argv = ["demo", "--port", "80"]
sys.exit(demo.main())
"""
"""Runs the demo as a user without the right to listen on port 80."""


def unprivileged_ports_start() -> int:
    """Return the first port that every user may listen on."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    except OSError:
        return 1024 if sys.platform == "linux" else 0


@pytest.fixture(scope="module")
def startproject(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a new project that has only healthguard in INSTALLED_APPS and in the URLconf."""
    folder = tmp_path_factory.mktemp("startproject")
    subprocess.run([sys.executable, "-m", "django", "startproject", "fresh", str(folder)], check=True)
    settings = folder / "fresh" / "settings.py"
    settings.write_text(settings.read_text().replace("INSTALLED_APPS = [", 'INSTALLED_APPS = [\n    "healthguard",'))
    urls = folder / "fresh" / "urls.py"
    urls.write_text(
        urls.read_text()
        .replace("from django.urls import path", "from django.urls import include, path")
        .replace("urlpatterns = [", 'urlpatterns = [\n    path("api/health", include("healthguard.urls")),')
    )
    return folder


@pytest.fixture(scope="module")
def migrated(startproject: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The migrated database of such a project."""
    project = in_folder(shutil.copytree(startproject, tmp_path_factory.mktemp("migrated"), dirs_exist_ok=True))
    project.migrate()
    return project.folder / "db.sqlite3"


def in_folder(folder: Path) -> Site:
    """Return the new project in ``folder`` as a site that can be served."""
    site = Site(folder)
    site.environment = {"DJANGO_SETTINGS_MODULE": "fresh.settings"}
    (folder / "site_wsgi.py").write_text("from fresh.wsgi import application as plain\n")
    return site


@pytest.fixture
def new_project(startproject: Path, tmp_path: Path) -> Iterator[Site]:
    """A copy of the new project, which the test may change."""
    site = in_folder(shutil.copytree(startproject, tmp_path, dirs_exist_ok=True))
    yield site
    site.stop()


@pytest.fixture
def migrated_project(new_project: Site, migrated: Path) -> Site:
    """A copy of the new project with the migrated database."""
    shutil.copy(migrated, new_project.folder)
    return new_project


def settled(server: Server) -> Reply:
    """Return the response after all first runs have finished, for a Host that DEBUG allows."""
    return server.settled(host="localhost")


def test_new_project_is_unhealthy_until_it_is_migrated(new_project: Site) -> None:
    assert new_project.manage("check", "--fail-level", "WARNING").returncode == 0
    server = new_project.serve()
    reply = settled(server)
    assert (reply.status, reply.json["services"]["database"]) == (503, "unhealthy")
    found = reply.json["database"]["checks"][0]
    assert found["code"] == "database_missing"
    assert not (new_project.folder / "db.sqlite3").exists(), "asking creates nothing"
    new_project.migrate()
    reply = server.until("/api/health", 200, host="localhost")
    # DEBUG is on, and the SECRET_KEY is startproject's, so the service is degraded and not unhealthy.
    assert reply.status == 200
    assert reply.json["services"] == {"django_config": "degraded", "database": "healthy"}
    assert reply.json["django_config"]["checks"][0]["code"] == "secret_key_weak"
    assert server.get("/api/health/ready", host="localhost").status == 200


@pytest.mark.parametrize(("key", "code"), [("", "key_empty"), ("mock", "key_placeholder"), (anthropic_key(), None)])
def test_a_key_in_the_environment_is_checked_without_being_declared(
    migrated_project: Site, key: str, code: str | None, simulator: Simulator
) -> None:
    simulator.keys = {key}
    migrated_project.environment |= {"ANTHROPIC_API_KEY": key}
    if code is None:
        migrated_project.environment |= simulator.base_urls
    server = migrated_project.serve()
    reply = settled(server)
    assert reply.status == (503 if code else 200)
    assert list(reply.json["services"]["ai_providers"]) == ["anthropic"]
    (check,) = reply.json["ai_providers"]["anthropic"]["checks"]
    assert check.get("code") == code


def test_project_without_a_database_is_healthy(new_project: Site) -> None:
    settings = new_project.folder / "fresh" / "settings.py"
    settings.write_text(settings.read_text() + "\nDATABASES = {}\n")
    reply = settled(new_project.serve())
    assert (reply.status, list(reply.json["services"])) == (200, ["django_config"])


def test_several_databases_are_reported_separately(migrated_project: Site) -> None:
    settings = migrated_project.folder / "fresh" / "settings.py"
    settings.write_text(
        settings.read_text() + "\nDATABASES['second'] = {**DATABASES['default'], 'NAME': BASE_DIR / 'second.sqlite3'}\n"
    )
    reply = settled(migrated_project.serve())
    assert reply.json["services"]["database"] == {"default": "healthy", "second": "unhealthy"}


def healthy_answer(request: urllib.request.Request) -> Any:
    """Return the first healthy response, because on a busy machine a worker may answer before its first runs finish."""
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(request) as response:
                body = response.read()
        except urllib.error.HTTPError as error:
            body = error.read()
        answer = json.loads(body)
        if answer["status"] == "healthy":
            return answer
        assert time.monotonic() < ends, answer
        time.sleep(0.1)


def test_demo_is_healthy_and_prints_its_token() -> None:
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    process = subprocess.Popen(
        [sys.executable, "-m", "example_project.demo", "--port", str(port)],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        banner = ""
        while "api/health?fresh=1" not in banner:
            line = process.stdout.readline()
            assert line, banner
            banner += line
        url = f"http://127.0.0.1:{port}/api/health"
        answer = healthy_answer(urllib.request.Request(url))
        assert answer["status"] == "healthy"
        assert answer["services"]["database"] == answer["services"]["ai_providers"]["anthropic"] == "healthy"
        assert answer["django_config"]["status"] == answer["analytics"]["status"] == "healthy"
        token = re.search(r"Bearer (\S+)'", banner)
        assert token is not None
        detailed = healthy_answer(urllib.request.Request(url, headers={"Authorization": f"Bearer {token[1]}"}))
        assert len(detailed["database"]["checks"]) == 4
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        process.stdout.close()


def test_demo_reports_a_port_that_is_in_use(simulator: Simulator) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "example_project.demo", "--port", str(simulator.server_port)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "in use" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(unprivileged_ports_start() <= 80, reason="every user may listen on 127.0.0.1:80")
def test_demo_names_the_right_that_a_low_port_needs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LISTEN_ON_80],
        cwd=REPOSITORY,
        # The other user may not write the data of coverage.
        env={**os.environ, **UNMEASURED},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "This user may not listen on port 80. Choose a port above 1023: make demo PORT=8000\n"


def test_only_the_startup_latch_is_stored_in_the_temporary_folder(migrated_project: Site, tmp_path: Path) -> None:
    migrated_project.environment["TMPDIR"] = str(tmp_path / "temporary")
    (tmp_path / "temporary").mkdir()
    server = migrated_project.serve()
    reply = server.until("/api/health/ready", 200, host="localhost")
    assert reply.status == 200, reply.body
    ends = time.monotonic() + PATIENCE
    while not (files := [path.name for path in (tmp_path / "temporary").glob("healthguard-*")]):
        assert time.monotonic() < ends
    assert len(files) == 1
    assert files[0].endswith(".ready")
