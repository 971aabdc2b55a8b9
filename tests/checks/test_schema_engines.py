"""RequiredTables and RequiredColumns on SQLite, MariaDB and engines that are not supported in full."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from example_project.postgres import Postgres
from healthguard.checks import RequiredColumns, RequiredTables
from healthguard.database.queries import fetch, problem_of
from healthguard.database.schema import ExpectedColumn, ExpectedTable, Inspection, TableName
from healthguard.runtime.deadline import deadline_after
from healthguard.status import Status
from tests.support.fixture_types import Connect, FindProblem, RunCheck
from tests.support.required_schema import create_tables


@pytest.fixture
def alias(connect: Connect, postgres: Postgres, database: str) -> str:
    """The alias of a database on PostgreSQL that has TABLES."""
    create_tables(postgres, database)
    return connect(postgres.url_of(database))


def test_tables_and_columns_are_checked_on_sqlite(
    result: RunCheck, problem: FindProblem, connect: Connect, tmp_path: Path
) -> None:
    alias = connect(f"sqlite:///{tmp_path / 'db.sqlite3'}")
    with connections[alias].cursor() as cursor:
        cursor.execute("CREATE TABLE customers (id integer, metadata text, full AS (id + 1))")
    assert result(RequiredTables(["customers", "CUSTOMERS"], alias)).status is Status.HEALTHY
    assert result(RequiredColumns("customers", {"Metadata": "jsonb", "full": None}, alias)).status is Status.HEALTHY
    assert problem(RequiredTables(["customers", "api_keys"], alias)).evidence["table_missing"] == ["api_keys"]
    assert problem(RequiredColumns("customers", ["is_staff"], alias)).evidence["column_missing"] == [
        "customers.is_staff"
    ]


@pytest.mark.mariadb
def test_tables_and_columns_are_checked_on_mariadb(
    result: RunCheck, problem: FindProblem, connect: Connect, mariadb: str
) -> None:
    alias = connect(mariadb)
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "CREATE TABLE customers (id bigint AUTO_INCREMENT PRIMARY KEY, admin_level varchar(20), metadata json, "
            "is_staff boolean, monthly_limit int, price decimal(10,2), big bigint unsigned, "
            "single float(24), large float(53), padded int zerofill, kind enum('a(b)', 'c') CHARACTER SET utf8mb4)"
        )
    good = {
        "id": "bigint",
        "admin_level": "varchar",
        "metadata": "json",
        "is_staff": "boolean",
        "monthly_limit": "integer",
        "price": "numeric(10, 2)",
        "big": "BIGINT UNSIGNED",
        "single": "float(24)",
        "large": "float(53)",
        "padded": "int unsigned",
        "kind": "enum",
    }
    spelled = {"kind": "enum('a(b)','c') character set utf8mb4"}
    assert result(RequiredColumns("customers", spelled, alias)).problem is None
    assert result(RequiredColumns("customers", good, alias)).problem is None
    for column, type_ in {"monthly_limit": "bigint", "big": "bigint", "price": "int"}.items():
        assert problem(RequiredColumns("customers", {column: type_}, alias)).code == "column_type", column
    assert problem(RequiredColumns("customers", {"admin_level": "varchar(30)"}, alias)).code == "column_narrower"
    assert problem(RequiredColumns("customers", {"metadata": "jsonb"}, alias)).code == "unknown_type"
    assert problem(RequiredColumns("customers", ["nothing"], alias)).code == "column_missing"
    assert problem(RequiredTables(["customers", "api_keys"], alias)).evidence["table_missing"] == ["api_keys"]
    with CaptureQueriesContext(connections[alias]) as queries:
        result(RequiredTables(["customers"] * 30, alias))
    assert len(queries) == 1


@pytest.mark.parametrize(
    ("column", "is_written", "kinds"),
    [
        (ExpectedColumn("numeric(10, 2)"), True, ["column_scale"]),
        (ExpectedColumn("numeric(10, 2)"), False, []),
        (ExpectedColumn("numeric(10, 2)", is_generated=True), True, []),
    ],
    ids=["written", "only read", "computed"],
)
def test_more_decimal_places_are_reported_only_for_written_values(
    alias: str, column: ExpectedColumn, is_written: bool, kinds: list[str]
) -> None:
    """Only the values that the application writes are validated."""
    generated = "GENERATED ALWAYS AS (1) STORED" if column.is_generated else ""
    with connections[alias].cursor() as cursor:
        cursor.execute(f"CREATE TABLE amounts (amount numeric(12, 4) {generated})")
    inspection = Inspection({TableName("amounts"): ExpectedTable({"amount": column})}, is_written=is_written)
    assert [finding.kind for finding in inspection.outcome(connections[alias]).findings] == kinds


def test_declared_number_of_decimal_places_is_a_minimum(result: RunCheck, alias: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute("CREATE TABLE amounts (amount numeric(12, 4))")
    assert result(RequiredColumns("amounts", {"amount": "numeric(10, 2)"}, alias)).problem is None


@pytest.mark.mariadb
@pytest.mark.parametrize(("medium", "kinds"), [(2**62, []), (1, ["column_narrower"])], ids=["small", "large"])
@pytest.mark.parametrize("kind", ["text CHARACTER SET utf8mb4", "blob"])
def test_medium_type_is_narrower_only_if_the_server_accepts_larger_values(
    connect: Connect, mariadb: str, monkeypatch: pytest.MonkeyPatch, kind: str, medium: int, kinds: list[str]
) -> None:
    """A value cannot be larger than max_allowed_packet. Its default on MariaDB is the size of mediumtext."""
    monkeypatch.setattr("healthguard.database.schema.mysql.MEDIUM", medium)
    alias = connect(mariadb)
    with connections[alias].cursor() as cursor:
        cursor.execute(f"CREATE TABLE pages (content medium{kind})")
    inspection = Inspection({TableName("pages"): ExpectedTable({"content": ExpectedColumn(f"long{kind[:4]}")})})
    assert [finding.kind for finding in inspection.outcome(connections[alias]).findings] == kinds


@pytest.mark.mariadb
def test_medium_type_does_not_replace_a_declared_type_on_mariadb(
    problem: FindProblem, connect: Connect, mariadb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("healthguard.database.schema.mysql.MEDIUM", 2**62)
    alias = connect(mariadb)
    with connections[alias].cursor() as cursor:
        cursor.execute("CREATE TABLE pages (content mediumtext)")
    assert problem(RequiredColumns("pages", {"content": "longtext"}, alias)).code == "column_type"


@pytest.mark.mariadb
@pytest.mark.parametrize(
    ("column", "is_written", "kinds"),
    [
        (ExpectedColumn("longtext"), True, ["column_narrower"]),
        (ExpectedColumn("longtext"), False, []),
        (ExpectedColumn("longtext", has_check=True), True, []),
        (ExpectedColumn("json", has_check=True), True, []),
    ],
    ids=["written", "only read", "with its own CHECK", "json"],
)
def test_json_column_is_reported_only_if_other_text_is_written(
    connect: Connect, mariadb: str, column: ExpectedColumn, is_written: bool, kinds: list[str]
) -> None:
    alias = connect(mariadb)
    with connections[alias].cursor() as cursor:
        cursor.execute("CREATE TABLE pages (content json)")
    inspection = Inspection({TableName("pages"): ExpectedTable({"content": column})}, is_written=is_written)
    assert [finding.kind for finding in inspection.outcome(connections[alias]).findings] == kinds


@pytest.mark.mariadb
def test_query_is_limited_in_time_on_mariadb(connect: Connect, mariadb: str) -> None:
    alias = connect(mariadb)
    with deadline_after(0.5), pytest.raises(Exception, match="1969|max_statement_time") as caught:
        fetch(connections[alias], "SELECT SLEEP(5) FROM information_schema.TABLES a, information_schema.TABLES b")
    assert problem_of(caught.value, alias).code == "database_timeout"


def test_presence_is_checked_on_any_other_engine(alias: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is simulated on PostgreSQL, with the queries of Django's introspection."""
    monkeypatch.setattr(connections[alias], "vendor", "other")
    columns = {"metadata": ExpectedColumn("text", needs_default=True), "nothing": ExpectedColumn()}
    inspection = Inspection(
        {TableName("customers"): ExpectedTable(columns, known=columns.keys()), TableName("nowhere"): ExpectedTable()}
    )
    for _ in range(2):
        assert [(finding.kind, finding.name) for finding in inspection.outcome(connections[alias]).findings] == [
            ("table_missing", "nowhere"),
            ("column_missing", "customers.nothing"),
        ]


def test_full_text_index_of_sqlite_has_a_rowid(
    result: RunCheck, problem: FindProblem, connect: Connect, tmp_path: Path
) -> None:
    alias = connect(f"sqlite:///{tmp_path / 'db.sqlite3'}")
    with connections[alias].cursor() as cursor:
        cursor.execute("CREATE VIRTUAL TABLE found USING fts5(title)")
        cursor.execute("CREATE TABLE plain (title text)")
    assert result(RequiredColumns("found", ["rowid", "title"], alias)).status is Status.HEALTHY
    assert problem(RequiredColumns("plain", ["rowid"], alias)).code == "column_missing"


@pytest.mark.mariadb
@pytest.mark.parametrize(
    "declared", ["timestamp NULL DEFAULT CURRENT_TIMESTAMP", "bigint unsigned NOT NULL", "varchar(20) BINARY"]
)
def test_type_that_cannot_be_read_is_reported_only_if_a_person_wrote_it(
    connect: Connect, mariadb: str, declared: str
) -> None:
    alias = connect(mariadb)
    with connections[alias].cursor() as cursor:
        cursor.execute(f"CREATE TABLE odd (x {declared})")
    for is_handwritten, kinds in ((False, []), (True, ["unknown_type"])):
        column = ExpectedColumn(declared, is_handwritten)
        inspection = Inspection({TableName("odd"): ExpectedTable({"x": column})})
        assert [finding.kind for finding in inspection.outcome(connections[alias]).findings] == kinds


def test_missing_sqlite_file_is_not_created(problem: FindProblem, connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "missing.sqlite3"
    alias = connect(f"sqlite:///{path}")
    assert problem(RequiredTables(["customers"], alias)).code == "database_missing"
    assert not path.exists()
