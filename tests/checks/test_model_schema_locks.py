"""Locks and concurrent schema changes neither delay ModelSchema nor cause a false finding."""

from __future__ import annotations

import threading

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections

from example_project.postgres import Postgres
from healthguard.checks import ModelSchema
from healthguard.runner.execution import result_of
from healthguard.service import source_of
from healthguard.status import Problem
from tests.support.fixture_types import Connect, RunCheck


@pytest.fixture
def alias(connect: Connect, postgres: Postgres, migrated_database: str) -> str:
    """The alias of a migrated database on PostgreSQL."""
    return connect(postgres.url_of(migrated_database))


def find_problem(check: ModelSchema) -> Problem | None:
    """Run a check on this thread's connections and return its problem, if it has one."""
    return result_of(source_of(check), 5.0).problem


def test_locked_tables_do_not_delay_the_check(alias: str, postgres: Postgres, migrated_database: str) -> None:
    def check_on_this_thread() -> None:
        try:
            problems.append(find_problem(ModelSchema(alias)))
        finally:
            connections[alias].close()

    with psycopg.connect(postgres.url_of(migrated_database)) as other:
        other.execute("ALTER TABLE customers ADD COLUMN later text NOT NULL")
        other.execute("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE")
        problems: list[Problem | None] = []
        run = threading.Thread(target=check_on_this_thread)
        run.start()
        run.join(60)
        assert problems == [None], "the check waits for the lock"
        other.rollback()


def test_table_that_is_replaced_during_the_check_is_not_missing(
    alias: str, postgres: Postgres, migrated_database: str
) -> None:
    """The catalog is not read atomically, so the check reads it again if something seems to be missing."""
    is_over = threading.Event()

    def replace() -> None:
        while not is_over.is_set():
            postgres.execute(
                "BEGIN; CREATE TABLE new (LIKE fun_with_flags_toggles INCLUDING ALL);"
                "DROP TABLE fun_with_flags_toggles; ALTER TABLE new RENAME TO fun_with_flags_toggles; COMMIT",
                migrated_database,
            )

    replacing = threading.Thread(target=replace)
    replacing.start()
    try:
        check = ModelSchema(alias)
        problems = [find_problem(check) for _ in range(300)]
    finally:
        is_over.set()
        replacing.join()
    assert not any(problems), problems


@pytest.mark.mariadb
def test_locked_tables_do_not_delay_the_check_on_mariadb(result: RunCheck, connect: Connect, mariadb: str) -> None:
    import pymysql

    alias = connect(mariadb)
    call_command("migrate", database=alias, verbosity=0)
    check = ModelSchema(alias)
    assert result(check).problem is None
    others = [
        pymysql.connect(host="127.0.0.1", user="root", database=mariadb.rpartition("/")[2], autocommit=False)
        for _ in range(3)
    ]
    reader, writer, locker = (other.cursor() for other in others)
    reader.execute("SELECT * FROM customers")
    # This statement waits for the reader, and every later query that reads a row of the table waits for it.
    waiting = threading.Thread(target=lambda: writer.execute("ALTER TABLE customers ADD later int"), daemon=True)
    waiting.start()
    locker.execute("LOCK TABLES django_session WRITE")
    try:
        # A check that opened the tables would wait until its timeout.
        assert result(check).problem is None
        assert waiting.is_alive()
    finally:
        others[0].rollback()
        waiting.join(60)
        for other in others:
            other.close()
