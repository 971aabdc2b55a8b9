"""``manage.py healthguard drill`` proves every check of the example project, on each engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from example_project.deployment import healthy_environment, manage, provider_keys
from example_project.postgres import Postgres
from example_project.provider_simulator import Simulator
from tests.support.machine_services import mariadb_database
from tests.support.sites import UNMEASURED, WITHOUT_REDIS

DATABASE = f"healthguard_drill_{os.getpid()}"
SETTINGS = """
import pymysql
# Django requires a version of mysqlclient. PyMySQL replaces mysqlclient, so it reports that version.
pymysql.version_info = (2, 2, 4, "final", 0)
pymysql.install_as_MySQLdb()
from example_project.settings import *
"""


@pytest.fixture(params=["postgresql", "sqlite", pytest.param("mysql", marks=pytest.mark.mariadb)])
def url(request: pytest.FixtureRequest, postgres: Postgres, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, on each engine."""
    if request.param == "postgresql":
        yield postgres.create(DATABASE)
        postgres.drop(DATABASE)
    elif request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/{DATABASE}"
    else:
        with mariadb_database(DATABASE) as url:
            yield url


def test_every_check_of_the_example_project_is_proven(url: str, simulator: Simulator, tmp_path: Path) -> None:
    (tmp_path / "drill_settings.py").write_text(SETTINGS)
    environment = healthy_environment(simulator.base_urls, url) | {
        "DJANGO_SETTINGS_MODULE": "drill_settings",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), WITHOUT_REDIS]),
        "EXPECTED_DATABASE": DATABASE,
        **UNMEASURED,
    }
    simulator.keys = provider_keys(environment)
    manage(environment, "migrate", "--verbosity=0")
    environment["EXCHANGE_API_KEY"] = manage(environment, "seed_demo")
    command = [sys.executable, "-m", "django", "healthguard", "drill", "--strict", "--format", "json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert [entry for entry in report["exercises"] if entry["proof"] != "proven"] == []
    assert (done.returncode, report["status"]) == (0, "proven")
    # Each changed key is sent once, and the real ones are not sent at all.
    assert len(simulator.received) == len(set(simulator.received)) == 2
    assert simulator.keys.isdisjoint(simulator.received)
