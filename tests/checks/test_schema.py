"""RequiredTables and RequiredColumns check with one query that tables and columns exist and can be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from example_project.postgres import Postgres
from healthguard.checks import RequiredColumns, RequiredTables
from healthguard.database.queries import fetch, problem_of
from healthguard.runtime.deadline import deadline_after
from healthguard.status import Fault, Status
from tests.support.fixture_types import Connect, FindProblem, RunCheck
from tests.support.required_schema import TABLES, create_tables
from tests.support.roles import READER, reader_of


@pytest.fixture
def alias(connect: Connect, postgres: Postgres, database: str) -> str:
    """The alias of a database on PostgreSQL that has TABLES."""
    create_tables(postgres, database)
    return connect(postgres.url_of(database))


def test_existing_tables_are_healthy(result: RunCheck, alias: str) -> None:
    assert result(RequiredTables(TABLES, alias)).status is Status.HEALTHY


@pytest.mark.parametrize("table", TABLES)
def test_each_missing_table_is_named(
    problem: FindProblem, alias: str, postgres: Postgres, database: str, table: str
) -> None:
    postgres.execute(f"DROP TABLE {table}", database)
    found = problem(RequiredTables(TABLES, alias))
    assert (found.code, found.fault) == ("table_missing", Fault.CONFIG)
    assert found.evidence["table_missing"] == [table]
    assert table in found.message
    assert "migrate" in found.hint


def test_empty_database_is_reported_as_wrong_or_empty(
    problem: FindProblem, connect: Connect, postgres: Postgres, database: str
) -> None:
    found = problem(RequiredTables(TABLES, connect(postgres.url_of(database))))
    assert "0 of 4 tables" in found.message
    assert "wrong or empty database" in found.message


def test_table_outside_the_search_path_is_reported_with_its_schema(
    problem: FindProblem, result: RunCheck, alias: str, postgres: Postgres, database: str
) -> None:
    postgres.execute("CREATE SCHEMA legacy; ALTER TABLE customers SET SCHEMA legacy", database)
    found = problem(RequiredTables(TABLES, alias))
    assert found.code == "table_missing"
    assert found.evidence["found_in_schemas"] == ["legacy"]
    assert "search_path" in found.hint
    assert result(RequiredTables(["legacy.customers"], alias)).status is Status.HEALTHY
    assert result(RequiredTables(['legacy"."customers'], alias)).status is Status.HEALTHY


def test_views_and_partitioned_tables_count_as_tables(
    result: RunCheck, alias: str, postgres: Postgres, database: str
) -> None:
    postgres.execute("CREATE VIEW seen AS SELECT 1 AS x; CREATE MATERIALIZED VIEW held AS SELECT 1 AS x", database)
    postgres.execute("CREATE TABLE parts (x int) PARTITION BY RANGE (x)", database)
    assert result(RequiredTables(["seen", "held", "parts"], alias)).status is Status.HEALTHY


def test_index_does_not_count_as_a_table(problem: FindProblem, alias: str) -> None:
    assert problem(RequiredTables(["customers_pkey", "customers"], alias)).evidence["table_missing"] == [
        "customers_pkey"
    ]


def test_names_of_tables_are_compared_literally(
    problem: FindProblem, result: RunCheck, alias: str, postgres: Postgres, database: str
) -> None:
    long_name = "t" * 70
    postgres.execute(f"""CREATE TABLE "Strange ; name" (x int); CREATE TABLE {long_name} (x int)""", database)
    assert result(RequiredTables(["Strange ; name", long_name], alias)).status is Status.HEALTHY
    assert problem(RequiredTables(["CUSTOMERS"], alias)).code == "table_missing"
    assert problem(RequiredTables(["'; DROP TABLE customers; --"], alias)).code == "table_missing"
    assert result(RequiredTables(["customers"], alias)).status is Status.HEALTHY


def test_missing_right_to_read_is_reported(
    problem: FindProblem, result: RunCheck, connect: Connect, postgres: Postgres, database: str, alias: str
) -> None:
    with reader_of(postgres, database) as url:
        postgres.execute(f"GRANT SELECT ON customers TO {READER}; GRANT SELECT (id) ON api_keys TO {READER}", database)
        reader = connect(url, "reader")
        found = problem(RequiredTables(TABLES, reader))
        assert (found.code, found.fault) == ("table_unreadable", Fault.CONFIG)
        evidence: Mapping[str, Any] = found.evidence
        assert sorted(evidence["table_unreadable"]) == ["analytics_events", "fun_with_flags_toggles"]
        assert "GRANT" in found.hint.upper()
        assert result(RequiredColumns("customers", ["id"], reader)).status is Status.HEALTHY
        postgres.execute(
            f"REVOKE SELECT ON customers FROM {READER}; GRANT SELECT (id) ON customers TO {READER}", database
        )
        found = problem(RequiredColumns("customers", ["id", "metadata"], reader))
        assert found.code == "column_unreadable"
        assert found.evidence["column_unreadable"] == ["customers.metadata"]


def test_long_lists_are_cut_and_counted(problem: FindProblem, alias: str) -> None:
    found = problem(RequiredTables([f"t{number}" for number in range(50)], alias))
    evidence: Mapping[str, Any] = found.evidence
    assert len(evidence["table_missing"]) == 20
    assert evidence["table_missing_more"] == 30
    assert "0 of 50 tables" in found.message
    found = problem(RequiredTables([*TABLES, *(f"t{number}" for number in range(50))], alias))
    assert "Only 4 of 54 tables" in found.message
    assert "and 30 more" in found.message


def test_any_number_of_tables_or_columns_takes_one_query(result: RunCheck, alias: str) -> None:
    tables = RequiredTables([*TABLES, *(f"t{number}" for number in range(500))], alias)
    columns = RequiredColumns("customers", {"metadata": "jsonb", "is_staff": "boolean", "ref": "uuid"}, alias)
    for check in (tables, columns):
        # A problem that is found for the first time is checked again.
        result(check)
        with CaptureQueriesContext(connections[alias]) as queries:
            result(check)
        assert len(queries) == 1


def test_locked_table_does_not_delay_the_check(result: RunCheck, alias: str, postgres: Postgres, database: str) -> None:
    with psycopg.connect(postgres.url_of(database)) as other:
        other.execute("ALTER TABLE customers ADD COLUMN later text")
        assert result(RequiredColumns("customers", {"metadata": "jsonb"}, alias)).status is Status.HEALTHY
        other.rollback()


def test_connection_has_no_time_limit_after_the_check(result: RunCheck, alias: str) -> None:
    result(RequiredTables(TABLES, alias))
    with connections[alias].cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_query_is_limited_in_time(connect: Connect, postgres: Postgres, database: str) -> None:
    alias = connect(postgres.url_of(database))
    with deadline_after(0.5), pytest.raises(Exception, match="timeout") as caught:
        fetch(connections[alias], "SELECT pg_sleep(%s)", [5])
    found = problem_of(caught.value, alias)
    assert (found.code, found.fault) == ("database_timeout", Fault.OUTAGE)


# Untyped, because invalid arguments are passed.
_tables: Any = RequiredTables
_columns: Any = RequiredColumns


@pytest.mark.parametrize(
    "check",
    [
        _tables("customers"),
        _tables([]),
        _tables([""]),
        _tables(name for name in ["customers"]),
        _tables(3),
        _columns("customers", (name for name in ["id"])),
        _columns("customers", 3),
        _columns("customers", []),
        _columns("customers", "metadata"),
        _columns("customers", {"metadata": 3}),
        _columns("", ["x"]),
    ],
)
def test_invalid_declaration_is_reported(problem: FindProblem, check: RequiredTables | RequiredColumns) -> None:
    assert problem(check).code == "invalid_declaration"
