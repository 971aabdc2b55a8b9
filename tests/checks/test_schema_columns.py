"""RequiredColumns compares the types of columns with their declaration on PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from example_project.postgres import Postgres
from healthguard.checks import RequiredColumns, RequiredTables
from healthguard.status import Fault, Status
from tests.support.fixture_types import Connect, FindProblem, RunCheck
from tests.support.required_schema import create_tables
from tests.support.results import problem_of


@pytest.fixture
def alias(connect: Connect, postgres: Postgres, database: str) -> str:
    """The alias of a database on PostgreSQL that has TABLES."""
    create_tables(postgres, database)
    return connect(postgres.url_of(database))


@pytest.mark.parametrize(
    ("column", "type_"),
    [
        *(("admin_level", spelling) for spelling in ("varchar", "character varying", "varchar(20)", "VARCHAR( 20 )")),
        *(("admin_level", 'varchar(20) COLLATE "C"'), ("metadata", "jsonb"), ("is_staff", "bool")),
        *(("is_staff", "boolean"), ("monthly_limit", "integer"), ("monthly_limit", "int"), ("monthly_limit", "int4")),
        *(("monthly_limit", "serial"), ("id", "bigserial"), ("id", "int8"), ("id", "bigint")),
        *(("price", "numeric"), ("price", "decimal(10,2)"), ("price", "numeric(10, 2)")),
        *(("whole", "numeric(10)"), ("whole", "numeric(10,0)"), ("letter", "char"), ("letter", "char(1)")),
        *(("tags", "varchar[]"), ("tags", "varchar(20)[]"), ("tags", "character varying[]")),
        *(("seen", "timestamptz"), ("seen", "timestamp with time zone"), ("seen", "timestamptz(3)")),
        *(("seen", "timestamp(3) with time zone"), ("plain", "timestamp"), ("plain", "timestamp without time zone")),
        *(("Mixed Case", "text"), ("ref", "uuid"), ("ref", None)),
        *(("small", "float(24)"), ("small", "real"), ("large", "float"), ("large", "float(53)")),
        *(("lasts", "interval"), ("lasts", "interval second(3)"), ("period", "interval")),
        ("period", "interval year to month"),
        *(("email", "email_address"), ("email", "varchar"), ("email", "varchar(254)")),
        *(("shout", "loud"), ("shout", "email_address"), ("shout", "varchar(254)")),
    ],
)
def test_every_spelling_of_the_right_type_is_healthy(
    result: RunCheck, alias: str, column: str, type_: str | None
) -> None:
    outcome = result(RequiredColumns("customers", {column: type_}, alias))
    assert outcome.status is Status.HEALTHY, outcome.problem


@pytest.mark.parametrize(
    ("column", "type_", "actual"),
    [
        ("admin_level", "text", "character varying(20)"),
        ("Mixed Case", "varchar(300)", "text"),
        ("letter", "varchar", "character(1)"),
        ("metadata", "json", "jsonb"),
        ("metadata", "text", "jsonb"),
        ("is_staff", "integer", "boolean"),
        ("monthly_limit", "bigint", "integer"),
        ("monthly_limit", "smallint", "integer"),
        ("small", "float(53)", "real"),
        ("email", "text", "email_address"),
        ("lasts", "interval(2)", "interval second(3)"),
        ("seen", "timestamp", "timestamp(3) with time zone"),
        ("plain", "timestamptz", "timestamp without time zone"),
        ("tags", "varchar", "character varying(20)[]"),
        ("ref", "varchar", "uuid"),
    ],
)
def test_column_of_another_type_is_reported(
    problem: FindProblem, alias: str, column: str, type_: str, actual: str
) -> None:
    found = problem(RequiredColumns("customers", {column: type_}, alias))
    assert (found.code, found.fault) == ("column_type", Fault.CONFIG)
    assert found.message == f"customers.{column} is {actual}, but the declaration requires {type_}."
    assert found.evidence["column_type"] == [{"column": f"customers.{column}", "expected": type_, "actual": actual}]


@pytest.mark.parametrize(
    ("column", "type_", "actual"),
    [
        ("admin_level", "varchar(30)", "character varying(20)"),
        ("letter", "char(2)", "character(1)"),
        ("price", "numeric(12, 2)", "numeric(10,2)"),
        ("price", "numeric(10, 3)", "numeric(10,2)"),
        ("seen", "timestamptz(6)", "timestamp(3) with time zone"),
        ("tags", "varchar(30)[]", "character varying(20)[]"),
        ("email", "varchar(300)", "email_address"),
    ],
)
def test_narrower_column_is_degraded(result: RunCheck, alias: str, column: str, type_: str, actual: str) -> None:
    outcome = result(RequiredColumns("customers", {column: type_}, alias))
    assert outcome.status is Status.DEGRADED
    assert problem_of(outcome).code == "column_narrower"
    assert problem_of(outcome).evidence["column_narrower"] == [
        {"column": f"customers.{column}", "expected": type_, "actual": actual}
    ]


@pytest.mark.parametrize(
    ("column", "type_"),
    [
        *(("admin_level", "varchar(10)"), ("price", "numeric(8, 2)"), ("price", "numeric(9, 1)")),
        *(("seen", "timestamptz(0)"), ("tags", "varchar(5)[]"), ("email", "varchar(100)")),
    ],
)
def test_wider_column_is_healthy(result: RunCheck, alias: str, column: str, type_: str) -> None:
    assert result(RequiredColumns("customers", {column: type_}, alias)).problem is None


@pytest.mark.parametrize("type_", ["strnig", "int eger", "varchar); DROP TABLE customers; --", "hstore", "("])
def test_type_that_the_server_does_not_have_is_reported(
    problem: FindProblem, result: RunCheck, alias: str, type_: str
) -> None:
    found = problem(RequiredColumns("customers", {"metadata": type_, "is_staff": "bool", "ref": "text"}, alias))
    assert found.code == "column_type"
    assert found.evidence["unknown_type"] == [{"column": "customers.metadata", "expected": type_, "actual": "jsonb"}]
    evidence: Mapping[str, Any] = found.evidence
    assert [entry["column"] for entry in evidence["column_type"]] == ["customers.ref"]
    assert result(RequiredTables(["customers"], alias)).status is Status.HEALTHY


def test_all_missing_columns_are_named(problem: FindProblem, alias: str, postgres: Postgres, database: str) -> None:
    postgres.execute("ALTER TABLE customers DROP COLUMN metadata, DROP COLUMN is_staff", database)
    found = problem(RequiredColumns("customers", ["id", "metadata", "is_staff"], alias))
    assert found.code == "column_missing"
    assert found.evidence["column_missing"] == ["customers.metadata", "customers.is_staff"]


def test_missing_table_is_reported_instead_of_its_columns(problem: FindProblem, alias: str) -> None:
    assert problem(RequiredColumns("nowhere", ["id"], alias)).code == "table_missing"
