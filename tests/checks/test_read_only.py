"""A database that takes no writes is degraded, unless that is intended."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connections

from healthguard.checks import ModelSchema, RequiredTables
from healthguard.status import Fault, Status

NOBODY = 65534


@pytest.fixture
def standby(connect, postgres, database) -> str:
    """A database in which every transaction is read-only, as on a standby."""
    alias = connect(postgres.url_of(database))
    call_command("migrate", database=alias, verbosity=0)
    postgres.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on", database)
    connections[alias].close()
    return alias


@pytest.fixture
def file(connect, public_folder: Path) -> Path:
    """The file of a migrated SQLite database, which is in a folder of its own."""
    path = Path(tempfile.mkdtemp(dir=public_folder)) / "db.sqlite3"
    alias = connect(f"sqlite:///{path}", "written")
    call_command("migrate", database=alias, verbosity=0)
    connections[alias].close()
    return path


def test_read_only_database_is_degraded(result, standby) -> None:
    """Case T27: reading works, and it may pass by itself."""
    told = result(ModelSchema(standby))
    assert told.status is Status.DEGRADED
    assert (told.problem.code, told.problem.fault) == ("database_read_only", Fault.OUTAGE)
    assert told.problem.evidence["read_only"] is True


@pytest.mark.parametrize("options", [{"read_only": True}, {"like": "default"}])
def test_database_that_is_meant_to_be_read_only_is_healthy(result, standby, options) -> None:
    """A replica is."""
    assert result(ModelSchema(standby, **options)).problem is None
    assert result(RequiredTables(["auth_user"], standby)).problem is None


@pytest.mark.parametrize("option", ["mode=ro", "immutable=1"])
def test_file_that_is_opened_read_only_is_degraded(result, connect, file, option) -> None:
    """Only the name in the settings shows it."""
    alias = connect(f"sqlite:///{file}", NAME=f"file:{file}?{option}", OPTIONS={"uri": True})
    assert result(ModelSchema(alias)).problem.code == "database_read_only"
    assert result(ModelSchema(alias, read_only=True)).problem is None


@pytest.mark.parametrize("is_folder", [False, True])
def test_file_without_the_right_to_write_is_degraded(result, connect, file, is_folder) -> None:
    """SQLite writes its journal beside the file, and so the folder counts as well."""
    alias = connect(f"sqlite:///{file}")
    # Whoever is not root may write to both, and then not to one of them.
    file.chmod(0o666)
    file.parent.chmod(0o777)
    assert _code_as_an_ordinary_user(result, alias) == "None"
    (file.parent if is_folder else file).chmod(0o555)
    try:
        assert _code_as_an_ordinary_user(result, alias) == "database_read_only"
    finally:
        file.parent.chmod(0o755)


def _code_as_an_ordinary_user(result, alias: str) -> str:
    """Return the code of the problem as a user sees it whom rights bind: not root."""
    if os.geteuid() != 0:
        return str(getattr(result(ModelSchema(alias)).problem, "code", None))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setuid(NOBODY)
            os.write(writing, str(getattr(result(ModelSchema(alias)).problem, "code", None)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as answer:
        return answer.read()
