"""Tables and columns: existence, type and the right to read, in one query, on every engine."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connections
from django.test.utils import CaptureQueriesContext

from healthguard.checks import ModelSchema, RequiredColumns, RequiredTables
from healthguard.status import Fault, Status

TABLES = ["api_keys", "customers", "analytics_events", "fun_with_flags_toggles"]
CUSTOMERS = """
CREATE TABLE customers (
    id bigserial PRIMARY KEY, admin_level varchar(20), metadata jsonb, is_staff boolean, monthly_limit integer,
    price numeric(10, 2), whole numeric(10), tags varchar(20)[], seen timestamp(3) with time zone, plain timestamp,
    letter char, "Mixed Case" text, ref uuid, email email_address, shout loud,
    small float(1), large float(53), lasts interval second(3), period interval year to month)
"""
DOMAINS = (
    "CREATE DOMAIN email_address AS varchar(254); CREATE DOMAIN loud AS email_address CHECK (VALUE = upper(VALUE));"
)


@pytest.fixture
def alias(connect, postgres, database) -> str:
    postgres.execute(DOMAINS + CUSTOMERS, database)
    for table in set(TABLES) - {"customers"}:
        postgres.execute(f"CREATE TABLE {table} (id integer)", database)
    return connect(postgres.url_of(database))


def test_all_tables_exist(result, alias) -> None:
    assert result(RequiredTables(TABLES, alias)).status is Status.HEALTHY


@pytest.mark.parametrize("table", TABLES)
def test_each_missing_table_is_named(problem, alias, postgres, database, table) -> None:
    postgres.execute(f"DROP TABLE {table}", database)
    told = problem(RequiredTables(TABLES, alias))
    assert (told.code, told.fault) == ("table_missing", Fault.CONFIG)
    assert told.evidence["table_missing"] == [table]
    assert table in told.message
    assert "migrate" in told.hint


def test_an_empty_database_is_called_so(problem, connect, postgres, database) -> None:
    told = problem(RequiredTables(TABLES, connect(postgres.url_of(database))))
    assert "0 of 4 tables" in told.message
    assert "wrong or empty database" in told.message


def test_a_table_outside_the_search_path_is_found_there(problem, result, alias, postgres, database) -> None:
    postgres.execute("CREATE SCHEMA legacy; ALTER TABLE customers SET SCHEMA legacy", database)
    told = problem(RequiredTables(TABLES, alias))
    assert told.code == "table_missing"
    assert told.evidence["found_in_schemas"] == ["legacy"]
    assert "search_path" in told.hint
    assert result(RequiredTables(["legacy.customers"], alias)).status is Status.HEALTHY
    assert result(RequiredTables(['legacy"."customers'], alias)).status is Status.HEALTHY


def test_views_and_partitioned_tables_count(result, alias, postgres, database) -> None:
    postgres.execute("CREATE VIEW seen AS SELECT 1 AS x; CREATE MATERIALIZED VIEW held AS SELECT 1 AS x", database)
    postgres.execute("CREATE TABLE parts (x int) PARTITION BY RANGE (x)", database)
    assert result(RequiredTables(["seen", "held", "parts"], alias)).status is Status.HEALTHY


def test_an_index_or_sequence_is_no_table(problem, alias) -> None:
    assert problem(RequiredTables(["customers_pkey", "customers"], alias)).evidence["table_missing"] == [
        "customers_pkey"
    ]


def test_names_are_taken_as_they_are(problem, result, alias, postgres, database) -> None:
    long_name = "t" * 70
    postgres.execute(f"""CREATE TABLE "Strange ; name" (x int); CREATE TABLE {long_name} (x int)""", database)
    assert result(RequiredTables(["Strange ; name", long_name], alias)).status is Status.HEALTHY
    assert problem(RequiredTables(["CUSTOMERS"], alias)).code == "table_missing"
    assert problem(RequiredTables(["'; DROP TABLE customers; --"], alias)).code == "table_missing"
    assert result(RequiredTables(["customers"], alias)).status is Status.HEALTHY


def test_a_table_that_may_not_be_read(problem, result, connect, postgres, database, alias) -> None:
    postgres.execute("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN PASSWORD 'r'", database)
    try:
        postgres.execute("GRANT SELECT ON customers TO reader; GRANT SELECT (id) ON api_keys TO reader", database)
        reader = connect(postgres.url_as("reader", database, "r"), "reader")
        told = problem(RequiredTables(TABLES, reader))
        assert (told.code, told.fault) == ("table_unreadable", Fault.CONFIG)
        assert sorted(told.evidence["table_unreadable"]) == ["analytics_events", "fun_with_flags_toggles"]
        assert "GRANT" in told.hint.upper()
        assert result(RequiredColumns("customers", ["id"], reader)).status is Status.HEALTHY
        postgres.execute("REVOKE SELECT ON customers FROM reader; GRANT SELECT (id) ON customers TO reader", database)
        told = problem(RequiredColumns("customers", ["id", "metadata"], reader))
        assert told.code == "column_unreadable"
        assert told.evidence["column_unreadable"] == ["customers.metadata"]
    finally:
        connections["reader"].close()
        postgres.execute("DROP OWNED BY reader; DROP ROLE reader", database)


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
def test_every_spelling_of_the_right_type(result, alias, column, type_) -> None:
    told = result(RequiredColumns("customers", {column: type_}, alias))
    assert told.status is Status.HEALTHY, told.problem


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
def test_a_column_of_another_type(problem, alias, column, type_, actual) -> None:
    told = problem(RequiredColumns("customers", {column: type_}, alias))
    assert (told.code, told.fault) == ("column_type", Fault.CONFIG)
    assert told.message == f"customers.{column} is {actual}, declared as {type_}."
    assert told.evidence["column_type"] == [{"column": f"customers.{column}", "expected": type_, "actual": actual}]


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
def test_a_narrower_column_is_degraded(result, alias, column, type_, actual) -> None:
    told = result(RequiredColumns("customers", {column: type_}, alias))
    assert told.status is Status.DEGRADED
    assert told.problem.code == "column_narrower"
    assert told.problem.evidence["column_narrower"] == [
        {"column": f"customers.{column}", "expected": type_, "actual": actual}
    ]


@pytest.mark.parametrize(
    ("column", "type_"),
    [
        *(("admin_level", "varchar(10)"), ("price", "numeric(8, 2)"), ("price", "numeric(9, 1)")),
        *(("seen", "timestamptz(0)"), ("tags", "varchar(5)[]"), ("email", "varchar(100)")),
    ],
)
def test_a_wider_column_is_nothing(result, alias, column, type_) -> None:
    assert result(RequiredColumns("customers", {column: type_}, alias)).problem is None


@pytest.mark.parametrize("type_", ["strnig", "int eger", "varchar); DROP TABLE customers; --", "hstore", "("])
def test_a_type_the_server_does_not_know(problem, result, alias, type_) -> None:
    told = problem(RequiredColumns("customers", {"metadata": type_, "is_staff": "bool", "ref": "text"}, alias))
    assert told.code == "column_type"
    assert told.evidence["unknown_type"] == [{"column": "customers.metadata", "expected": type_, "actual": "jsonb"}]
    assert [found["column"] for found in told.evidence["column_type"]] == ["customers.ref"]
    assert result(RequiredTables(["customers"], alias)).status is Status.HEALTHY


def test_missing_columns_are_all_named(problem, alias, postgres, database) -> None:
    postgres.execute("ALTER TABLE customers DROP COLUMN metadata, DROP COLUMN is_staff", database)
    told = problem(RequiredColumns("customers", ["id", "metadata", "is_staff"], alias))
    assert told.code == "column_missing"
    assert told.evidence["column_missing"] == ["customers.metadata", "customers.is_staff"]


def test_columns_of_a_missing_table(problem, alias) -> None:
    assert problem(RequiredColumns("nowhere", ["id"], alias)).code == "table_missing"


def test_long_lists_are_cut_and_counted(problem, alias) -> None:
    told = problem(RequiredTables([f"t{number}" for number in range(50)], alias))
    assert len(told.evidence["table_missing"]) == 20
    assert told.evidence["table_missing_more"] == 30
    assert "0 of 50 tables" in told.message
    told = problem(RequiredTables([*TABLES, *(f"t{number}" for number in range(50))], alias))
    assert "Only 4 of 54 tables" in told.message
    assert "and 30 more" in told.message


def test_one_query_however_many(result, alias) -> None:
    tables = RequiredTables([*TABLES, *(f"t{number}" for number in range(500))], alias)
    columns = RequiredColumns("customers", {"metadata": "jsonb", "is_staff": "boolean", "ref": "uuid"}, alias)
    for check in (tables, columns):
        # What is wrong for the first time is looked at twice.
        result(check)
        with CaptureQueriesContext(connections[alias]) as queries:
            result(check)
        assert len(queries) == 1


def test_a_locked_table_delays_nothing(result, alias, postgres, database) -> None:
    import psycopg

    with psycopg.connect(postgres.url_of(database)) as other:
        other.execute("ALTER TABLE customers ADD COLUMN later text")
        assert result(RequiredColumns("customers", {"metadata": "jsonb"}, alias)).status is Status.HEALTHY
        other.rollback()


def test_nothing_stays_behind_on_the_server(result, alias) -> None:
    result(RequiredTables(TABLES, alias))
    with connections[alias].cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_a_query_is_bounded_in_time(connect, postgres, database) -> None:
    from healthguard.databases import fetch, problem_of
    from healthguard.deadline import ending_in

    alias = connect(postgres.url_of(database))
    with ending_in(0.5), pytest.raises(Exception, match="timeout") as caught:
        fetch(connections[alias], "SELECT pg_sleep(%s)", [5])
    told = problem_of(caught.value, alias)
    assert (told.code, told.fault) == ("database_timeout", Fault.OUTAGE)


def test_sqlite(result, problem, connect, tmp_path) -> None:
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
def test_mariadb(result, problem, connect, mariadb) -> None:
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


@pytest.mark.mariadb
def test_a_mariadb_query_is_bounded_in_time(connect, mariadb) -> None:
    from healthguard.databases import fetch, problem_of
    from healthguard.deadline import ending_in

    alias = connect(mariadb)
    with ending_in(0.5), pytest.raises(Exception, match="1969|max_statement_time") as caught:
        fetch(connections[alias], "SELECT SLEEP(5) FROM information_schema.TABLES a, information_schema.TABLES b")
    assert problem_of(caught.value, alias).code == "database_timeout"


def test_any_other_engine_by_djangos_introspection(alias, monkeypatch) -> None:
    """Shown on PostgreSQL, for no other engine is here: presence only."""
    from healthguard.schema import ExpectedColumn, ExpectedTable, Inspection, TableName

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


@pytest.mark.parametrize(
    "check",
    [
        RequiredTables("customers"),
        RequiredTables([]),
        RequiredTables([""]),
        RequiredTables(name for name in ["customers"]),
        RequiredTables(3),
        RequiredColumns("customers", (name for name in ["id"])),
        RequiredColumns("customers", 3),
        RequiredColumns("customers", []),
        RequiredColumns("customers", "metadata"),
        RequiredColumns("customers", {"metadata": 3}),
        RequiredColumns("", ["x"]),
    ],
)
def test_a_declaration_that_cannot_be_meant(problem, check) -> None:
    assert problem(check).code == "misdeclared"


def test_a_full_text_index_of_sqlite_has_its_key(result, problem, connect, tmp_path) -> None:
    alias = connect(f"sqlite:///{tmp_path / 'db.sqlite3'}")
    with connections[alias].cursor() as cursor:
        cursor.execute("CREATE VIRTUAL TABLE found USING fts5(title)")
        cursor.execute("CREATE TABLE plain (title text)")
    assert result(RequiredColumns("found", ["rowid", "title"], alias)).status is Status.HEALTHY
    assert problem(RequiredColumns("plain", ["rowid"], alias)).code == "column_missing"


def test_a_key_that_counts_need_not_be_wider_than_it_is(result, problem, connect, postgres, database) -> None:
    alias = connect(postgres.url_of(database))
    call_command("migrate", database=alias, verbosity=0)
    check = ModelSchema(alias)
    # As migrations make them that were made before DEFAULT_AUTO_FIELD was BigAutoField.
    postgres.execute("ALTER TABLE customers ALTER id TYPE integer", database)
    for table in ("api_keys", "analytics_events"):
        postgres.execute(f"ALTER TABLE {table} ALTER id TYPE integer, ALTER customer_id TYPE integer", database)
    assert result(check).status is Status.HEALTHY
    postgres.execute("ALTER TABLE customers ALTER id TYPE bigint", database)
    assert [told["column"] for told in problem(check).evidence["column_narrower"]] == [
        "api_keys.customer_id",
        "analytics_events.customer_id",
    ]


@pytest.mark.mariadb
@pytest.mark.parametrize(
    "declared", ["timestamp NULL DEFAULT CURRENT_TIMESTAMP", "bigint unsigned NOT NULL", "varchar(20) BINARY"]
)
def test_a_field_declared_with_more_than_a_type(connect, mariadb, declared) -> None:
    from healthguard.schema import ExpectedColumn, ExpectedTable, Inspection, TableName

    alias = connect(mariadb)
    with connections[alias].cursor() as cursor:
        cursor.execute(f"CREATE TABLE odd (x {declared})")
    for is_handwritten, told in ((False, []), (True, ["unknown_type"])):
        column = ExpectedColumn(declared, is_handwritten)
        inspection = Inspection({TableName("odd"): ExpectedTable({"x": column})})
        assert [finding.kind for finding in inspection.outcome(connections[alias]).findings] == told


def test_a_missing_file_is_not_created(problem, connect, tmp_path) -> None:
    path = tmp_path / "missing.sqlite3"
    alias = connect(f"sqlite:///{path}")
    assert problem(RequiredTables(["customers"], alias)).code == "database_missing"
    assert not path.exists()
