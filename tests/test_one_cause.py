"""One fault of a database is one problem: the first check tells it with its cause, the others are not run."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess

import pytest
from django.conf import settings
from django.test import override_settings

from healthguard import conf
from healthguard.checks import AppliedMigrations, DatabaseName, ModelSchema, RequiredTables, SecretKey
from healthguard.status import Fault, Status
from tests import strange_checks as strange

PASSWORD = "s3cret-Pa55word"


def checks_of(alias: str) -> list[object]:
    database = ("health_check.checks.Database", {"alias": alias})
    return [database, AppliedMigrations(alias), ModelSchema(alias), RequiredTables(["t"], alias)]


def told(results) -> list[str | None]:
    return [result.problem and result.problem.code for result in results]


def test_missing_database_is_told_once_with_its_place(connect, run_as_a_service, postgres) -> None:
    alias = connect(postgres.url_of("nc_nope"), PASSWORD=PASSWORD)
    results = run_as_a_service(*checks_of(alias))
    assert told(results) == ["database_missing", "not_run", "not_run", "not_run"]
    problem = results[0].problem
    assert problem.evidence["name"] == "nc_nope"
    assert "name nc_nope" in problem.message
    assert "postgres" in problem.message
    assert PASSWORD not in repr(results)
    assert {result.problem.fault for result in results} == {Fault.CONFIG}


def test_place_of_a_server_over_tcp(connect, problem) -> None:
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
def test_password_in_the_place_of_a_name_is_not_shown(connect, problem, changes) -> None:
    alias = connect(f"postgres://app:{PASSWORD}@127.0.0.1:1/shop", **changes)
    assert PASSWORD not in repr(problem(RequiredTables(["t"], alias)))


def test_the_place_is_not_public(healthguard_settings, connect) -> None:
    from healthguard.respond import Request, respond

    alias = connect("postgres://app_user@127.0.0.1:1/nc_nope")
    healthguard_settings({"database": RequiredTables(["t"], alias)}, INLINE=True)
    with override_settings(DEBUG=False):
        body = respond(Request("GET", "")).body.decode()
    assert "nc_nope" not in body
    assert "app_user" not in body


def test_what_uses_another_database_or_none_is_run(connect, run_as_a_service, postgres, database) -> None:
    broken, sound = connect(postgres.url_of("nc_nope")), connect(postgres.url_of(database), "sound")
    results = run_as_a_service(
        RequiredTables(["t"], broken),
        SecretKey(),
        strange.Fine,
        RequiredTables(["t"], broken),
        AppliedMigrations(sound),
    )
    assert told(results)[:4] == ["database_missing", None, None, "not_run"]
    assert told(results)[4] == "migrations_pending"


def test_nothing_is_judged_in_a_wrong_database(connect, run_as_a_service, postgres, database) -> None:
    """To obey the hint of another check, to migrate, would write into it."""
    alias = connect(postgres.url_of(database))
    results = run_as_a_service(DatabaseName("rsolv_platform_prod", alias), *checks_of(alias))
    assert told(results) == ["wrong_database", *["not_run"] * 4]
    assert [result.status for result in results[1:]] == [Status.UNKNOWN] * 4


def test_a_missing_table_leaves_the_other_checks_running(connect, run_as_a_service, postgres, database) -> None:
    alias = connect(postgres.url_of(database))
    results = run_as_a_service(RequiredTables(["no_such"], alias), AppliedMigrations(alias))
    assert told(results) == ["table_missing", "migrations_pending"]


@pytest.mark.parametrize("engine", ["django.db.backends.dummy", ""])
def test_no_database_is_one_problem(connect, run_as_a_service, engine) -> None:
    """What Django makes of DATABASES = {"default": dj_database_url.config()} where DATABASE_URL is empty."""
    alias = connect("postgres://h/x", "none", ENGINE=engine or "django.db.backends.dummy", NAME="")
    results = run_as_a_service(*checks_of(alias))
    assert told(results) == ["database_engine", "not_run", "not_run", "not_run"]
    results = run_as_a_service(ModelSchema(alias))
    assert told(results) == ["database_engine"]


def test_empty_database_url_is_named(monkeypatch, run_as_a_service) -> None:
    from django.db import connections

    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setitem(
        connections.settings, "default", {**connections.settings["default"], "ENGINE": "django.db.backends.dummy"}
    )
    results = run_as_a_service(*checks_of("default"))
    assert told(results) == ["database_engine", "not_run", "not_run", "not_run"]
    assert "DATABASE_URL is empty" in results[0].problem.message


@pytest.mark.parametrize(("url", "is_checked"), [("", True), (" ", True), (None, False)])
def test_empty_database_url_is_checked_by_default(monkeypatch, url, is_checked) -> None:
    """A project without a database has no such variable."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    if url is not None:
        monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setitem(settings.DATABASES, "default", {"ENGINE": "django.db.backends.dummy"})
    assert ("database" in conf.default_services()) is is_checked


def sqlite(path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()


def garbage(path) -> None:
    path.write_bytes(b"this is not a database, but it is long enough to be read as one" * 20)


def damaged(path) -> None:
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
        # To connect reads nothing, and theirs does no more.
        (garbage, "garbage.sqlite3", "database_corrupt", "not a SQLite database", "ours"),
        (damaged, "damaged.sqlite3", "database_corrupt", "damaged", "ours"),
        (lambda path: path.mkdir(), "folder.sqlite3", "database_unreadable", "cannot be opened", "ours"),
        (lambda path: path.mkdir(), "folder.sqlite3", "database_unreadable", "cannot be opened", "theirs"),
    ],
)
def test_sqlite_file(connect, run_as_a_service, tmp_path, make, name, code, words, check) -> None:
    if make is not None:
        make(tmp_path / name)
    alias = connect(f"sqlite:///{tmp_path / name}")
    queries = {"ours": RequiredTables(["t"], alias), "theirs": ("health_check.checks.Database", {"alias": alias})}
    (result,) = run_as_a_service(queries[check])
    assert (result.problem.code, result.problem.fault) == (code, Fault.CONFIG), result
    assert words in result.problem.message


def test_locked_sqlite_is_an_outage(connect, run_as_a_service, tmp_path) -> None:
    sqlite(tmp_path / "db.sqlite3")
    holder = sqlite3.connect(tmp_path / "db.sqlite3", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    alias = connect(f"sqlite:///{tmp_path / 'db.sqlite3'}", OPTIONS={"timeout": 0.1})
    try:
        (result,) = run_as_a_service(RequiredTables(["t"], alias))
    finally:
        holder.close()
    assert (result.problem.code, result.problem.fault) == ("database_timeout", Fault.OUTAGE)


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="only root on 127.0.0.1: may mount a volume"
)
@pytest.mark.parametrize("is_wal", [True, False])
def test_sqlite_on_a_read_only_volume(connect, run_as_a_service, public_folder, is_wal) -> None:
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
    assert (result.problem and result.problem.code) == ("database_unreadable" if is_wal else None), result
    assert not is_wal or "WAL" in result.problem.message
