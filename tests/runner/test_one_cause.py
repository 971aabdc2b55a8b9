"""One fault of a database is one problem: the first check reports it with its cause, the others are not run."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings

from example_project.postgres import Postgres
from healthguard import conf
from healthguard.checks import AppliedMigrations, DatabaseName, ModelSchema, RequiredTables, SecretKey
from healthguard.status import CheckResult, Fault, Status
from tests.support import strange_checks as strange
from tests.support.fixture_types import Connect, Declare, FindProblem, RunAsService
from tests.support.results import problem_of

PASSWORD = "s3cret-Pa55word"


def checks_of(alias: str) -> list[object]:
    """Return four checks of one database."""
    database = ("health_check.checks.Database", {"alias": alias})
    return [database, AppliedMigrations(alias), ModelSchema(alias), RequiredTables(["t"], alias)]


def codes(results: Iterable[CheckResult]) -> list[str | None]:
    """Return the code of each result's problem; None for a result without a problem."""
    return [result.problem.code if result.problem else None for result in results]


def test_missing_database_is_reported_once_with_its_location(
    connect: Connect, run_as_a_service: RunAsService, postgres: Postgres
) -> None:
    alias = connect(postgres.url_of("nc_nope"), PASSWORD=PASSWORD)
    results = run_as_a_service(*checks_of(alias))
    assert codes(results) == ["database_missing", "not_run", "not_run", "not_run"]
    found = problem_of(results[0])
    assert found.evidence["name"] == "nc_nope"
    assert "named 'nc_nope'" in found.message
    assert "postgres" in found.message
    assert PASSWORD not in repr(results)
    assert {problem_of(result).fault for result in results} == {Fault.CONFIG}


def test_problem_names_the_location_of_a_server_on_tcp(connect: Connect, problem: FindProblem) -> None:
    alias = connect(f"postgres://app_user:{PASSWORD}@127.0.0.1:1/nc_nope")
    found = problem(RequiredTables(["t"], alias))
    assert "(name nc_nope, host 127.0.0.1, port 1, user app_user)" in found.message
    assert {key: found.evidence[key] for key in ("name", "host", "port", "user")} == {
        "name": "nc_nope",
        "host": "127.0.0.1",
        "port": 1,
        "user": "app_user",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"NAME": f"app:{PASSWORD}@db"},
        {"USER": PASSWORD},
        {"HOST": PASSWORD},
        {"HOST": f"{PASSWORD}.internal"},
        {"NAME": f"postgres://app:{PASSWORD}@h/db"},
        {"PORT": PASSWORD},
    ],
)
def test_password_in_another_option_is_not_shown(
    connect: Connect, problem: FindProblem, changes: dict[str, str]
) -> None:
    alias = connect(f"postgres://app:{PASSWORD}@127.0.0.1:1/shop", **changes)
    assert PASSWORD not in repr(problem(RequiredTables(["t"], alias)))


def test_location_is_not_public(healthguard_settings: Declare, connect: Connect) -> None:
    from healthguard.http.handler import Request, respond

    alias = connect("postgres://app_user@127.0.0.1:1/nc_nope")
    healthguard_settings({"database": RequiredTables(["t"], alias)}, INLINE=True)
    with override_settings(DEBUG=False):
        body = respond(Request("GET", "")).body.decode()
    assert "nc_nope" not in body
    assert "app_user" not in body


def test_checks_of_another_database_or_of_none_are_run(
    connect: Connect, run_as_a_service: RunAsService, postgres: Postgres, database: str
) -> None:
    broken, sound = connect(postgres.url_of("nc_nope")), connect(postgres.url_of(database), "sound")
    results = run_as_a_service(
        RequiredTables(["t"], broken),
        SecretKey(),
        strange.Fine,
        RequiredTables(["t"], broken),
        AppliedMigrations(sound),
    )
    assert codes(results)[:4] == ["database_missing", None, None, "not_run"]
    assert codes(results)[4] == "migrations_pending"


def test_checks_of_a_wrong_database_are_not_run(
    connect: Connect, run_as_a_service: RunAsService, postgres: Postgres, database: str
) -> None:
    """Another check would report missing tables, and following its hint, to migrate, would change that database."""
    alias = connect(postgres.url_of(database))
    results = run_as_a_service(DatabaseName("rsolv_platform_prod", alias), *checks_of(alias))
    assert codes(results) == ["wrong_database", *["not_run"] * 4]
    assert [result.status for result in results[1:]] == [Status.UNKNOWN] * 4


def test_a_missing_table_leaves_the_other_checks_running(
    connect: Connect, run_as_a_service: RunAsService, postgres: Postgres, database: str
) -> None:
    alias = connect(postgres.url_of(database))
    results = run_as_a_service(RequiredTables(["no_such"], alias), AppliedMigrations(alias))
    assert codes(results) == ["table_missing", "migrations_pending"]


def test_missing_engine_is_one_problem(connect: Connect, run_as_a_service: RunAsService) -> None:
    """Django uses this engine for DATABASES = {"default": dj_database_url.config()} if DATABASE_URL is empty."""
    alias = connect("postgres://h/x", "none", ENGINE="django.db.backends.dummy", NAME="")
    results = run_as_a_service(*checks_of(alias))
    assert codes(results) == ["database_engine", "not_run", "not_run", "not_run"]
    results = run_as_a_service(ModelSchema(alias))
    assert codes(results) == ["database_engine"]


def test_empty_database_url_is_named_in_the_message(
    monkeypatch: pytest.MonkeyPatch, run_as_a_service: RunAsService
) -> None:
    from django.db import connections

    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setitem(
        connections.settings, "default", {**connections.settings["default"], "ENGINE": "django.db.backends.dummy"}
    )
    results = run_as_a_service(*checks_of("default"))
    assert codes(results) == ["database_engine", "not_run", "not_run", "not_run"]
    assert "DATABASE_URL is empty" in problem_of(results[0]).message


@pytest.mark.parametrize(("url", "is_checked"), [("", True), (" ", True), (None, False)])
def test_empty_database_url_is_checked_by_default(
    monkeypatch: pytest.MonkeyPatch, url: str | None, is_checked: bool
) -> None:
    """A project without a database does not set the variable, so nothing is checked."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    if url is not None:
        monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setitem(settings.DATABASES, "default", {"ENGINE": "django.db.backends.dummy"})
    assert ("database" in conf.default_services()) is is_checked


def create_database(path: Path) -> None:
    """Create a SQLite database with one table."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()


def garbage(path: Path) -> None:
    """Write a file that is not a SQLite database."""
    path.write_bytes(b"this is not a database, but it is long enough to be read as one" * 20)


def damaged(path: Path) -> None:
    """Write a SQLite database whose first page is damaged."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,)] * 50)
    connection.close()
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * (4096 - 100)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "name", "code", "words", "check"),
    [
        (None, "none.sqlite3", "database_missing", "no such file", "ours"),
        (None, "none.sqlite3", "database_missing", "no such file", "theirs"),
        (None, "no/such/folder/db.sqlite3", "database_missing", "folder", "ours"),
        (None, "no/such/folder/db.sqlite3", "database_missing", "folder", "theirs"),
        # Connecting reads nothing, and the check of django-health-check only connects.
        (garbage, "garbage.sqlite3", "database_corrupt", "not a SQLite database", "ours"),
        (damaged, "damaged.sqlite3", "database_corrupt", "damaged", "ours"),
        (lambda path: path.mkdir(), "folder.sqlite3", "database_unreadable", "cannot be opened", "ours"),
        (lambda path: path.mkdir(), "folder.sqlite3", "database_unreadable", "cannot be opened", "theirs"),
    ],
)
def test_unusable_sqlite_file_is_a_config_fault(
    connect: Connect,
    run_as_a_service: RunAsService,
    tmp_path: Path,
    make: Callable[[Path], None] | None,
    name: str,
    code: str,
    words: str,
    check: str,
) -> None:
    if make is not None:
        make(tmp_path / name)
    alias = connect(f"sqlite:///{tmp_path / name}")
    checks = {"ours": RequiredTables(["t"], alias), "theirs": ("health_check.checks.Database", {"alias": alias})}
    (result,) = run_as_a_service(checks[check])
    found = problem_of(result)
    assert (found.code, found.fault) == (code, Fault.CONFIG), result
    assert words in found.message


def test_locked_sqlite_is_an_outage(connect: Connect, run_as_a_service: RunAsService, tmp_path: Path) -> None:
    create_database(tmp_path / "db.sqlite3")
    holder = sqlite3.connect(tmp_path / "db.sqlite3", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    alias = connect(f"sqlite:///{tmp_path / 'db.sqlite3'}", OPTIONS={"timeout": 0.1})
    try:
        (result,) = run_as_a_service(RequiredTables(["t"], alias))
    finally:
        holder.close()
    found = problem_of(result)
    assert (found.code, found.fault) == ("database_timeout", Fault.OUTAGE)


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="only root on 127.0.0.1: may mount a volume"
)
@pytest.mark.parametrize("is_wal", [True, False])
def test_sqlite_on_a_read_only_volume_is_unreadable_in_wal_mode(
    connect: Connect, run_as_a_service: RunAsService, public_folder: Path, is_wal: bool
) -> None:
    folder = public_folder / f"volume-{is_wal}"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=False, capture_output=True).returncode:
        pytest.skip("no volume can be mounted here; nothing listens for it on 127.0.0.1: ")
    try:
        with sqlite3.connect(folder / "db.sqlite3") as connection:
            connection.execute(f"PRAGMA journal_mode={'WAL' if is_wal else 'DELETE'}")
            connection.execute("CREATE TABLE t (x)")
        connection.close()
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        alias = connect(f"sqlite:///{folder / 'db.sqlite3'}")
        (result,) = run_as_a_service(RequiredTables(["t"], alias))
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
    found = result.problem and (result.problem.code, "WAL" in result.problem.message)
    assert found == (("database_unreadable", True) if is_wal else None), result
