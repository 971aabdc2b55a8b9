"""``manage.py check --deploy`` reports the problems of the services, and no other command does."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from example_project.deployment import anthropic_key
from tests.support.sites import Site

DECLARED = """
HEALTHGUARD = {"SERVICES": {
    "config": [SecretKey(min_bytes=64), EnvironmentVariable("DEPLOYED_BY")],
    "database": [DatabaseName(os.environ.get("EXPECTED", "site.sqlite3")), RequiredTables(["auth_user"]),
                 AppliedMigrations(), ModelSchema()],
    "keys": AIProviderKey("anthropic", verify=True),
    "cache": Service("health_check.checks.Cache", critical=False),
}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A healthy deployment: its database is migrated, and its keys look real."""
    site = Site(tmp_path).write(DECLARED)
    # Nothing listens there, so a request to the provider would fail.
    site.environment |= {
        "DEPLOYED_BY": "pipeline",
        "ANTHROPIC_API_KEY": anthropic_key(),
        "HTTPS_PROXY": "http://127.0.0.1:1",
    }
    site.migrate()
    yield site
    site.stop()


def check(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    return site.manage("check", "--tag", "healthguard", *arguments)


def alter(site: Site, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(site.folder / "site.sqlite3")) as connection, connection:
        connection.execute(sql)


@pytest.mark.parametrize("arguments", [["--deploy"], ["--deploy", "--database", "default"]])
def test_healthy_deployment_has_no_message(site: Site, arguments: list[str]) -> None:
    done = check(site, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no issues" in done.stdout


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("SECRET_KEY", "", "secret_key_empty"),
        ("SECRET_KEY", "short", "secret_key_too_short"),
        ("DEPLOYED_BY", None, "variable_missing"),
        ("DEPLOYED_BY", "", "variable_empty"),
        ("ANTHROPIC_API_KEY", None, "key_missing"),
        ("ANTHROPIC_API_KEY", "sk-ant-mock-key", "key_placeholder"),
        ("EXPECTED", "another.sqlite3", "wrong_database"),
    ],
)
def test_wrong_environment_is_reported_without_a_database(site: Site, name: str, value: str | None, code: str) -> None:
    site.environment.pop(name, None)
    if value is not None:
        site.environment[name] = value
    (site.folder / "site.sqlite3").unlink()
    done = check(site, "--deploy")
    assert done.returncode == 1
    assert f"(healthguard.{code})" in done.stderr
    assert "HINT:" in done.stderr
    assert not (site.folder / "site.sqlite3").exists(), "the database was not opened"


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("DROP TABLE auth_user", "table_missing"),
        ("ALTER TABLE auth_user DROP COLUMN first_name", "column_missing"),
        ("DELETE FROM django_migrations WHERE name = '0012_alter_user_first_name_max_length'", "migrations_pending"),
    ],
)
def test_altered_database_is_reported_if_it_is_named(site: Site, sql: str, code: str) -> None:
    alter(site, sql)
    assert check(site, "--deploy").returncode == 0
    done = check(site, "--deploy", "--database", "default")
    assert done.returncode == 1
    assert f"(healthguard.{code})" in done.stderr


def test_wrong_database_is_reported_once(site: Site) -> None:
    site.environment["EXPECTED"] = "another.sqlite3"
    done = check(site, "--deploy", "--database", "default")
    assert done.stderr.count("(healthguard.wrong_database)") == 1


@pytest.mark.parametrize("arguments", [[], ["--deploy"]])
def test_invalid_declaration_is_reported_with_the_tag(site: Site, arguments: list[str]) -> None:
    """A pipeline that runs only this tag must not pass although nothing was checked."""
    site.write('HEALTHGUARD = {"SERVICES": {"config": "no.such.Check"}}')
    done = check(site, *arguments)
    assert done.returncode == 1
    assert "healthguard.E" in done.stderr


def test_service_that_is_not_critical_is_a_warning(site: Site) -> None:
    site.write('HEALTHGUARD = {"SERVICES": {"config": Service(EnvironmentVariable("MISSING"), critical=False)}}')
    done = check(site, "--deploy")
    assert done.returncode == 0
    assert "WARNINGS" in done.stderr
    assert "config EnvironmentVariable: (healthguard.variable_missing)" in done.stderr


def test_silenced_code_is_not_reported(site: Site) -> None:
    site.environment["DEPLOYED_BY"] = ""
    site.write(DECLARED + '\nSILENCED_SYSTEM_CHECKS = ["healthguard.variable_empty"]\n')
    assert check(site, "--deploy").returncode == 0


@pytest.mark.parametrize(
    "command",
    [
        ["migrate", "--verbosity=0"],
        ["makemigrations", "--check"],
        ["check"],
        ["check", "--database", "default"],
        ["showmigrations"],
        ["test", "--verbosity=0"],
    ],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize("state", ["empty", "half migrated", "altered"])
def test_other_commands_do_not_run_the_services(site: Site, command: list[str], state: str) -> None:
    """``migrate`` must work on a database that is not migrated, and must not wait for the services."""
    if state == "empty":
        (site.folder / "site.sqlite3").unlink()
    elif state == "half migrated":
        alter(site, "DELETE FROM django_migrations WHERE app = 'sessions'")
        alter(site, "DROP TABLE django_session")
    else:
        alter(site, "ALTER TABLE auth_group ADD COLUMN extra integer NULL")
    site.environment["SECRET_KEY"] = "short"
    recording = """
HEALTHGUARD["SERVICES"]["recorded"] = "recording.Recording"
"""
    module = """
import pathlib
from healthguard.checks.base import Check
class Recording(Check):
    def run(self):
        pathlib.Path("ran").touch()
"""
    site.write(DECLARED + recording, recording=module)
    done = site.manage(*command)
    assert done.returncode == 0, done.stderr
    assert "healthguard." not in done.stderr + done.stdout
    assert not (site.folder / "ran").exists()
