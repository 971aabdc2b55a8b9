"""ModelSchema compares a database with the models, and reports each deviation."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import NotSupportedError, connections
from django.test.utils import CaptureQueriesContext

from example_project.postgres import Postgres
from example_project.vending.models import Customer
from healthguard.checks import AppliedMigrations, ModelSchema, RequiredColumns, RequiredTables
from healthguard.status import Fault, Status
from tests.support.fixture_types import Connect, FindProblem, RunCheck
from tests.support.machine_services import POSTGRESQL
from tests.support.results import problem_of
from tests.support.roles import READER, reader_of
from tests.support.sql import execute


@pytest.fixture
def alias(connect: Connect, postgres: Postgres, migrated_database: str) -> str:
    """The alias of a migrated database on PostgreSQL."""
    return connect(postgres.url_of(migrated_database))


@pytest.fixture(params=["postgresql", "sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def migrated(request: pytest.FixtureRequest, connect: Connect, tmp_path: Path) -> str:
    """The alias of a migrated database, on each engine."""
    if request.param == "postgresql":
        postgresql: str = request.getfixturevalue("alias")
        return postgresql
    url = f"sqlite:///{tmp_path / 'db.sqlite3'}" if request.param == "sqlite" else request.getfixturevalue("mariadb")
    alias = connect(url)
    call_command("migrate", database=alias, verbosity=0)
    return alias


def test_migrated_database_is_healthy_with_one_query(result: RunCheck, migrated: str) -> None:
    check = ModelSchema(migrated)
    connections[migrated].ensure_connection()
    with CaptureQueriesContext(connections[migrated]) as queries:
        outcome = result(check)
    assert len(queries) == 1
    assert outcome.problem is None
    evidence: Mapping[str, Any] = outcome.evidence
    assert evidence["tables"] == 12
    assert evidence["columns"] > 50
    with CaptureQueriesContext(connections[migrated]) as queries:
        assert result(check).status is Status.HEALTHY
    assert len(queries) == 1


def test_new_connection_needs_no_other_query(result: RunCheck, migrated: str) -> None:
    """Each run opens a new connection, so opening one must not add a query of the check."""
    check = ModelSchema(migrated)
    result(check)
    connections[migrated].close()
    del connections[migrated]
    with CaptureQueriesContext(connections[migrated]) as queries:
        assert result(check).status is Status.HEALTHY
    assert len([query for query in queries if "SELECT" in query["sql"] and "SQL_AUTO_IS_NULL" not in query["sql"]]) == 1


@pytest.mark.parametrize("check", [AppliedMigrations, ModelSchema])
def test_second_database_that_was_never_migrated_is_degraded(
    result: RunCheck,
    connect: Connect,
    postgres: Postgres,
    database: str,
    check: type[AppliedMigrations] | type[ModelSchema],
) -> None:
    """No hint advises to migrate the database, because it may belong to another application."""
    outcome = result(check(connect(postgres.url_of(database)), may_be_foreign=True))
    assert outcome.status is Status.DEGRADED
    assert problem_of(outcome).code == "database_not_migrated"
    assert "migrate" not in problem_of(outcome).hint


def test_missing_table_in_a_second_database_that_was_migrated_is_unhealthy(problem: FindProblem, alias: str) -> None:
    """A database that Django has migrated belongs to this project."""
    execute(alias, "DROP TABLE analytics_events")
    assert problem(ModelSchema(alias, may_be_foreign=True)).code == "table_missing"


def test_empty_database_is_reported_as_wrong_or_empty(
    problem: FindProblem, connect: Connect, postgres: Postgres, database: str
) -> None:
    found = problem(ModelSchema(connect(postgres.url_of(database))))
    assert (found.code, found.fault) == ("table_missing", Fault.CONFIG)
    assert found.message == "0 of 12 tables exist: wrong or empty database."
    evidence: Mapping[str, Any] = found.evidence
    assert len(evidence["table_missing"]) == 12
    assert "DATABASE_URL" in found.hint


def test_database_without_most_tables_is_reported_as_possibly_wrong(problem: FindProblem, alias: str) -> None:
    execute(alias, "DROP TABLE customers, api_keys, analytics_events, fun_with_flags_toggles CASCADE")
    found = problem(ModelSchema(alias, exclude=["auth", "contenttypes"]))
    assert found.message.startswith("Only 1 of 5 tables exist, possibly because this is the wrong database")


def test_tables_outside_the_search_path_are_reported_with_their_schema(
    problem: FindProblem, alias: str, migrated_database: str
) -> None:
    execute(alias, "CREATE SCHEMA legacy", "ALTER TABLE customers SET SCHEMA legacy")
    found = problem(ModelSchema(alias))
    assert found.message == (
        "This table is in schema legacy, which is not in the search_path or not accessible to the user: customers."
    )
    assert found.evidence["found_in_schemas"] == ["legacy"]
    assert "search_path" in found.hint
    execute(alias, "ALTER TABLE api_keys SET SCHEMA legacy", "DROP TABLE analytics_events")
    found = problem(ModelSchema(alias))
    assert "Missing table: analytics_events; these tables are in schema legacy" in found.message
    connections[alias].close()
    execute(alias, f"ALTER ROLE CURRENT_USER IN DATABASE {migrated_database} SET search_path = public, legacy")
    connections[alias].close()
    assert problem(ModelSchema(alias)).evidence["table_missing"] == ["analytics_events"]


def test_messages_name_the_column_and_the_reason(problem: FindProblem, result: RunCheck, alias: str) -> None:
    execute(alias, "ALTER TABLE customers ALTER metadata TYPE text")
    assert problem(ModelSchema(alias)).message == "customers.metadata is text, but the model requires jsonb."
    execute(alias, "ALTER TABLE customers ALTER metadata TYPE jsonb USING metadata::jsonb")
    execute(alias, "ALTER TABLE api_keys ADD legacy_code text NOT NULL")
    outcome = result(ModelSchema(alias))
    assert outcome.status is Status.DEGRADED
    assert problem_of(outcome).message == (
        "api_keys.legacy_code is NOT NULL without a default, and no model has a field for it: INSERTs will fail."
    )


def test_all_findings_are_reported_worst_first(problem: FindProblem, alias: str) -> None:
    execute(
        alias,
        "ALTER TABLE api_keys ADD legacy_code text NOT NULL",
        "ALTER TABLE customers ALTER name TYPE varchar(10), DROP COLUMN is_staff",
        "DROP TABLE analytics_events",
    )
    found = problem(ModelSchema(alias))
    assert found.code == "table_missing"
    assert list(found.evidence) == ["alias", "table_missing", "column_missing", "column_unexpected", "column_narrower"]
    assert found.message.startswith(
        "Missing table: analytics_events; missing columns: customers.is_staff; api_keys.leg"
    )


def test_long_lists_are_cut_and_counted(result: RunCheck, alias: str) -> None:
    columns = ", ".join(f"ADD extra_{number} int NOT NULL" for number in range(30))
    execute(alias, f"ALTER TABLE customers {columns}")
    found = problem_of(result(ModelSchema(alias)))
    evidence: Mapping[str, Any] = found.evidence
    assert len(evidence["column_unexpected"]) == 20
    assert evidence["column_unexpected_more"] == 10
    assert "and 25 more of this kind" in found.message


def test_long_list_of_schemas_is_cut_and_counted(problem: FindProblem, alias: str) -> None:
    """A table may exist in the schemas of a thousand tenants."""
    schemas = "".join(f"CREATE SCHEMA tenant_{number}; CREATE TABLE tenant_{number}.x (y int);" for number in range(60))
    execute(alias, schemas, "CREATE TABLE x (y int)")
    execute(alias, "DROP TABLE x")
    found = problem(RequiredTables(["x"], alias))
    assert "and 40 more" in found.message
    evidence: Mapping[str, Any] = found.evidence
    assert len(evidence["found_in_schemas"]) == 20


def test_change_and_its_repair_are_detected_by_the_same_check(result: RunCheck, migrated: str) -> None:
    check = ModelSchema(migrated)
    for _ in range(2):
        assert result(check).problem is None
        execute(migrated, "ALTER TABLE fun_with_flags_toggles RENAME TO gone")
        assert problem_of(result(check)).code == "table_missing"
        assert problem_of(result(check)).evidence["table_missing"] == ["fun_with_flags_toggles"]
        execute(migrated, "ALTER TABLE gone RENAME TO fun_with_flags_toggles")


def test_spelling_of_a_type_is_queried_again_after_the_search_path_changed(
    result: RunCheck, problem: FindProblem, connect: Connect, alias: str
) -> None:
    """The server adds the schema to a type's name if the schema is not in the search path."""
    execute(
        alias,
        "CREATE SCHEMA types; CREATE DOMAIN types.mail AS text; CREATE TABLE letters (id int, sender types.mail)",
    )
    check = RequiredColumns("letters", {"sender": "types.mail"}, alias)
    assert result(check).problem is None
    execute(alias, "SET search_path = public, types")
    assert result(check).problem is None
    assert problem(RequiredColumns("letters", {"id": "types.mail"}, alias)).code == "column_type"


def test_role_without_rights_is_reported_as_unable_to_read_each_table(
    problem: FindProblem, connect: Connect, postgres: Postgres, migrated_database: str, alias: str
) -> None:
    """The catalog lists every table, while information_schema would show none of them to such a role."""
    with reader_of(postgres, migrated_database) as url:
        found = problem(ModelSchema(connect(url, "reader")))
        assert found.code == "table_unreadable"
        assert [key for key in found.evidence if not key.endswith("_more")] == ["alias", "table_unreadable"]
        assert "GRANT" in found.hint.upper()
        postgres.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}", migrated_database)
        connections["reader"].close()
        assert ModelSchema("reader").run()["tables"] == 12


def test_apps_and_exclude_limit_the_check(result: RunCheck, problem: FindProblem, alias: str) -> None:
    execute(alias, "DROP TABLE auth_group CASCADE", "ALTER TABLE customers DROP COLUMN metadata")
    assert result(ModelSchema(alias, apps=["contenttypes", "sessions"])).problem is None
    assert problem(ModelSchema(alias, apps=["vending"])).evidence["column_missing"] == ["customers.metadata"]
    for name in ("auth", "auth.Group", "auth.group", "auth_group"):
        assert problem(ModelSchema(alias, exclude=[name])).code == "column_missing"
    assert result(ModelSchema(alias, exclude=["auth_group", "customers.metadata"])).problem is None
    execute(alias, "ALTER TABLE customers ADD old_code text NOT NULL")
    assert result(ModelSchema(alias, exclude=["auth_group", "customers.metadata"])).status is Status.DEGRADED
    excluded = ["auth_group", "customers.metadata", "customers.old_code", "no_such_table"]
    assert result(ModelSchema(alias, exclude=excluded)).problem is None


@pytest.mark.parametrize(
    "options",
    [
        *({"apps": "vending"}, {"apps": ["nothing"]}, {"exclude": "auth"}, {"exclude": [3]}, {"apps": [""]}),
        *({"apps": 3}, {"exclude": None}, {"mirror_of": "nowhere"}),
    ],
)
def test_invalid_declaration_is_reported(problem: FindProblem, alias: str, options: dict[str, Any]) -> None:
    assert problem(ModelSchema(alias, **options)).code == "invalid_declaration"


@pytest.mark.parametrize("options", [{"server_side_binding": True}, {"pool": True}])
def test_checks_run_on_djangos_own_connection_with_any_options(
    result: RunCheck, alias: str, connect: Connect, postgres: Postgres, migrated_database: str, options: dict[str, bool]
) -> None:
    other = connect(postgres.url_of(migrated_database), "options", OPTIONS=options)
    assert result(ModelSchema(other)).problem is None
    assert result(AppliedMigrations(other)).problem is None
    connection: Any = connections[other]
    connection.close()
    if "pool" in options:
        connection.close_pool()


def test_automatic_key_may_be_as_narrow_as_migrations_created_it(
    result: RunCheck, problem: FindProblem, connect: Connect, postgres: Postgres, database: str
) -> None:
    """The keys of older migrations are integers, although DEFAULT_AUTO_FIELD is BigAutoField by now."""
    alias = connect(postgres.url_of(database))
    call_command("migrate", database=alias, verbosity=0)
    check = ModelSchema(alias)
    postgres.execute("ALTER TABLE customers ALTER id TYPE integer", database)
    for table in ("api_keys", "analytics_events"):
        postgres.execute(f"ALTER TABLE {table} ALTER id TYPE integer, ALTER customer_id TYPE integer", database)
    assert result(check).status is Status.HEALTHY
    postgres.execute("ALTER TABLE customers ALTER id TYPE bigint", database)
    evidence: Mapping[str, Any] = problem(check).evidence
    assert [entry["column"] for entry in evidence["column_narrower"]] == [
        "api_keys.customer_id",
        "analytics_events.customer_id",
    ]


@pytest.fixture
def icu_alias(connect: Connect) -> Iterator[str]:
    """The alias of a migrated database on a server with ICU, which the PostgreSQL of the wheel does not have."""
    server, name = Postgres(POSTGRESQL), f"healthguard_icu_{os.getpid()}"
    alias = connect(server.create(name), "icu")
    call_command("migrate", database=alias, verbosity=0)
    execute(alias, "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    yield alias
    connections[alias].close()
    server.drop(name)


@pytest.mark.postgresql
def test_nondeterministic_collation_is_reported_if_it_makes_lookups_fail(
    result: RunCheck, problem: FindProblem, icu_alias: str
) -> None:
    """Lookups such as contains fail with such a collation until PostgreSQL 18."""
    check = ModelSchema(icu_alias)
    assert result(check).problem is None
    execute(icu_alias, "ALTER TABLE customers ALTER name TYPE varchar(200) COLLATE loose")
    Customer.objects.using(icu_alias).create(name="somebody")
    customers = Customer.objects.using(icu_alias).filter(name__contains="body")
    connection: Any = connections[icu_alias]
    if connection.pg_version >= 180000:
        assert customers.exists()
        assert result(check).problem is None
        return
    with pytest.raises(NotSupportedError):
        customers.exists()
    found = problem(check)
    assert found.code == "column_collation"
    assert found.evidence["column_collation"] == ["customers.name"]
