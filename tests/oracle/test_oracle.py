"""After every change to a database, the schema check agrees with the operations of an application."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from django.test import override_settings

from example_project.postgres import Postgres
from tests.oracle import changes_mysql
from tests.support.amounts import some_of
from tests.support.fixture_types import Connect
from tests.support.machine_services import POSTGRESQL, mariadb_database
from tests.support.sites import REPOSITORY

if TYPE_CHECKING:
    from tests.oracle.engines import Engine, PostgreSQL

CHANGES = int(os.environ.get("CHANGES") or some_of(300))
SEED = int(os.environ.get("SEED") or 1)
FIRST = int(os.environ.get("FIRST") or 0)
NAME = f"healthguard_oracle_{os.getpid()}"

Record: TypeAlias = Callable[[str, object], None]
"""The type of pytest's fixture ``record_property``."""

pytestmark = pytest.mark.timeout(0)


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    """Install the models. They, and all modules that import them, can be imported only inside a test."""
    with override_settings(INSTALLED_APPS=["healthguard", "tests.oracle"]):
        yield


@pytest.fixture
def on_postgresql(connect: Connect) -> Iterator[Callable[[Postgres], Engine]]:
    """Yield a function that prepares a database on a PostgreSQL server."""
    from tests.oracle.engines import PostgreSQL

    used: list[tuple[Postgres, PostgreSQL]] = []

    def on(server: Postgres) -> Engine:
        engine = PostgreSQL(connect(server.create(NAME), "oracle"))
        used.append((server, engine))
        engine.prepare()
        return engine

    yield on
    for server, engine in used:
        engine.remove()
        engine.connection.close()
        server.drop(NAME)


@pytest.fixture
def mariadb_engine(connect: Connect) -> Iterator[Engine]:
    """A prepared database on the MariaDB of this machine."""
    import pymysql

    from tests.oracle.engines import MariaDB

    with mariadb_database(NAME) as url:
        root = pymysql.connect(host="127.0.0.1", user="root", autocommit=True)

        def admin(statement: str) -> list[Any]:
            with root.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall())

        engine = MariaDB(connect(url.replace("root@", f"{changes_mysql.USER}@"), "oracle"), admin)
        engine.prepare()
        yield engine
        engine.connection.close()
        engine.remove()
        root.close()


def assert_agreement(engine: Engine, record_property: Record) -> None:
    """Assert that the check and the operations agree after each change, except for known disagreements."""
    from tests.oracle.comparison import Comparison

    reports: list[str] = []
    new, known = Comparison(engine, SEED).count_disagreements(range(FIRST, FIRST + CHANGES), reports.append)
    counts = ", ".join(f"{count} × {name}" for name, count in sorted(known.items()))
    record_property("count", f"{engine.connection.vendor}: {CHANGES} changes, {new} new disagreements; {counts}")
    assert not new, "\n".join(reports)


def test_check_agrees_with_the_orm_on_postgresql(
    postgres: Postgres, on_postgresql: Callable[[Postgres], Engine], record_property: Record
) -> None:
    assert_agreement(on_postgresql(postgres), record_property)


@pytest.mark.postgresql
def test_check_agrees_with_the_orm_on_the_postgresql_of_the_machine(
    on_postgresql: Callable[[Postgres], Engine], record_property: Record
) -> None:
    assert_agreement(on_postgresql(Postgres(POSTGRESQL)), record_property)


def test_check_agrees_with_the_orm_on_sqlite(connect: Connect, tmp_path: Path, record_property: Record) -> None:
    from tests.oracle.engines import SQLite

    engine = SQLite(connect(f"sqlite:///{tmp_path / 'oracle.sqlite3'}", "oracle"))
    engine.prepare()
    assert_agreement(engine, record_property)


def test_each_known_disagreement_has_its_reason_in_the_documentation() -> None:
    from tests.oracle.known_disagreements import KNOWN_DISAGREEMENTS

    page = (REPOSITORY / "docs" / "oracle.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    assert [name for name, *_ in rows[1:]] == [known.name for known in KNOWN_DISAGREEMENTS]
    assert all(reason for _, _, reason in rows)


@pytest.mark.mariadb
def test_check_agrees_with_the_orm_on_mariadb(mariadb_engine: Engine, record_property: Record) -> None:
    assert_agreement(mariadb_engine, record_property)
