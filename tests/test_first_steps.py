"""What a new user does first: a new project with nothing declared, and the demo."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from example_project.deployment import anthropic_key, free_port
from tests.sites import PATIENCE, REPOSITORY, Site


@pytest.fixture
def new_project(tmp_path) -> Site:
    """``django-admin startproject`` with healthguard in INSTALLED_APPS and URLs, and nothing else."""
    subprocess.run([sys.executable, "-m", "django", "startproject", "fresh", str(tmp_path)], check=True)
    settings = tmp_path / "fresh" / "settings.py"
    settings.write_text(settings.read_text().replace("INSTALLED_APPS = [", 'INSTALLED_APPS = [\n    "healthguard",'))
    urls = tmp_path / "fresh" / "urls.py"
    urls.write_text(
        urls.read_text()
        .replace("from django.urls import path", "from django.urls import include, path")
        .replace("urlpatterns = [", 'urlpatterns = [\n    path("api/health", include("healthguard.urls")),')
    )
    site = Site(tmp_path)
    site.environment = {"DJANGO_SETTINGS_MODULE": "fresh.settings"}
    (tmp_path / "site_wsgi.py").write_text("from fresh.wsgi import application as plain\n")
    yield site
    site.stop()


def test_a_new_project_with_nothing_declared(new_project) -> None:
    assert new_project.manage("check", "--fail-level", "WARNING").returncode == 0
    server = new_project.serve()
    reply = server.get(host="localhost")
    assert (reply.status, reply.json["services"]["database"]) == (503, "unhealthy")
    told = reply.json["database"]["checks"][0]
    assert told["code"] == "database_missing"
    assert not (new_project.folder / "db.sqlite3").exists(), "asking creates nothing"
    new_project.migrate()
    reply = server.until("/api/health", 200, host="localhost")
    # DEBUG is on, and the key is startproject's: that is said, and no more than said.
    assert reply.status == 200
    assert reply.json["services"] == {"django_config": "degraded", "database": "healthy"}
    assert reply.json["django_config"]["checks"][0]["code"] == "secret_key_weak"
    assert server.get("/api/health/ready", host="localhost").status == 200


@pytest.mark.parametrize(("key", "code"), [("", "key_empty"), ("mock", "key_placeholder"), (anthropic_key(), None)])
def test_a_key_in_the_environment_is_checked_without_being_declared(new_project, key, code, simulator) -> None:
    simulator.keys = {key}
    new_project.environment |= {"ANTHROPIC_API_KEY": key}
    if code is None:
        new_project.environment |= simulator.base_urls
    new_project.migrate()
    server = new_project.serve()
    reply = server.until("/api/health", 503 if code else 200, host="localhost")
    assert list(reply.json["services"]["ai_providers"]) == ["anthropic"]
    (check,) = reply.json["ai_providers"]["anthropic"]["checks"]
    assert check.get("code") == code


def test_a_project_without_a_database(new_project) -> None:
    settings = new_project.folder / "fresh" / "settings.py"
    settings.write_text(settings.read_text() + "\nDATABASES = {}\n")
    reply = new_project.serve().get(host="localhost")
    assert (reply.status, list(reply.json["services"])) == (200, ["django_config"])


def test_several_databases_are_told_apart(new_project) -> None:
    settings = new_project.folder / "fresh" / "settings.py"
    settings.write_text(
        settings.read_text() + "\nDATABASES['second'] = {**DATABASES['default'], 'NAME': BASE_DIR / 'second.sqlite3'}\n"
    )
    new_project.migrate()
    reply = new_project.serve().get(host="localhost")
    assert reply.json["services"]["database"] == {"default": "healthy", "second": "unhealthy"}


def test_the_demo() -> None:
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    process = subprocess.Popen(
        [sys.executable, "-m", "example_project.demo", "--port", str(port)],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        banner = ""
        assert process.stdout is not None
        while "api/health?fresh=1" not in banner:
            line = process.stdout.readline()
            assert line, banner
            banner += line
        answer = json.loads(urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health").read())
        assert answer["status"] == "healthy"
        assert answer["services"]["database"] == answer["services"]["ai_providers"]["anthropic"] == "healthy"
        assert answer["django_config"]["status"] == answer["analytics"]["status"] == "healthy"
        token = re.search(r"Bearer (\S+)'", banner)
        assert token is not None
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/health", headers={"Authorization": f"Bearer {token[1]}"}
        )
        detailed = json.loads(urllib.request.urlopen(request).read())
        assert len(detailed["database"]["checks"]) == 4
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        process.stdout.close()


def test_the_demo_on_a_port_in_use(simulator) -> None:
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


def test_memory_of_nothing_but_the_latch_stays_in_the_temporary_folder(new_project, tmp_path) -> None:
    new_project.environment["TMPDIR"] = str(tmp_path / "temporary")
    (tmp_path / "temporary").mkdir()
    new_project.migrate()
    server = new_project.serve()
    reply = server.until("/api/health/ready", 200, host="localhost")
    assert reply.status == 200, reply.body
    ends = time.monotonic() + PATIENCE
    while not (files := [path.name for path in (tmp_path / "temporary").glob("healthguard-*")]):
        assert time.monotonic() < ends
    assert len(files) == 1
    assert files[0].endswith(".ready")
