"""A database that accepts no writes is degraded, unless it is meant to be read-only."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

from example_project.postgres import Postgres
from healthguard.checks import ModelSchema, RequiredTables
from healthguard.status import Fault, Status
from tests.support.fixture_types import Connect, RunCheck
from tests.support.results import problem_of

NOBODY = 65534


@pytest.fixture
def standby(connect: Connect, postgres: Postgres, database: str) -> str:
    """A database in which every transaction is read-only, as on a standby."""
    alias = connect(postgres.url_of(database))
    call_command("migrate", database=alias, verbosity=0)
    postgres.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on", database)
    connections[alias].close()
    return alias


@pytest.fixture
def file(connect: Connect, public_folder: Path) -> Path:
    """The file of a migrated SQLite database in its own folder."""
    path = Path(tempfile.mkdtemp(dir=public_folder)) / "db.sqlite3"
    alias = connect(f"sqlite:///{path}", "written")
    call_command("migrate", database=alias, verbosity=0)
    connections[alias].close()
    return path


def test_read_only_database_is_degraded(result: RunCheck, standby: str) -> None:
    """Reads still work, and the database may accept writes again by itself."""
    outcome = result(ModelSchema(standby))
    assert outcome.status is Status.DEGRADED
    assert (problem_of(outcome).code, problem_of(outcome).fault) == ("database_read_only", Fault.OUTAGE)
    assert problem_of(outcome).evidence["read_only"] is True


@pytest.mark.parametrize("options", [{"read_only": True}, {"mirror_of": "default"}])
def test_database_that_is_meant_to_be_read_only_is_healthy(
    result: RunCheck, standby: str, options: dict[str, Any]
) -> None:
    """A replica is read-only by design."""
    assert result(ModelSchema(standby, **options)).problem is None
    assert result(RequiredTables(["auth_user"], standby)).problem is None


@pytest.mark.parametrize("option", ["mode=ro", "immutable=1"])
def test_file_that_is_opened_read_only_is_degraded(result: RunCheck, connect: Connect, file: Path, option: str) -> None:
    """Only the database name in the settings contains the option."""
    alias = connect(f"sqlite:///{file}", NAME=f"file:{file}?{option}", OPTIONS={"uri": True})
    assert problem_of(result(ModelSchema(alias))).code == "database_read_only"
    assert result(ModelSchema(alias, read_only=True)).problem is None


@pytest.mark.parametrize("is_folder", [False, True])
def test_file_without_the_right_to_write_is_degraded(
    result: RunCheck, connect: Connect, file: Path, is_folder: bool
) -> None:
    """SQLite writes its journal into the folder of the file, so the right to write there is needed as well."""
    alias = connect(f"sqlite:///{file}")
    # A user other than root may write to both, and later to only one of them.
    file.chmod(0o666)
    file.parent.chmod(0o777)
    assert _code_as_ordinary_user(result, alias) == "None"
    (file.parent if is_folder else file).chmod(0o555)
    try:
        assert _code_as_ordinary_user(result, alias) == "database_read_only"
    finally:
        file.parent.chmod(0o755)


def _code_as_ordinary_user(result: RunCheck, alias: str) -> str:
    """Return the problem code that a user other than root gets, because root ignores the rights of files."""
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
    with os.fdopen(reading) as pipe:
        return pipe.read()
