"""The models are the declaration: what they imply, where it is looked for, and what that costs."""

from __future__ import annotations

import threading

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connections, models
from django.test import override_settings
from django.test.utils import CaptureQueriesContext, isolate_apps

from healthguard import conf
from healthguard.checks import AppliedMigrations, ModelSchema
from healthguard.schema import TableName
from healthguard.schema.from_models import expected_from_models
from healthguard.status import Fault, Status


def execute(alias: str, *statements: str) -> None:
    with connections[alias].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def alias(connect, postgres, database) -> str:
    alias = connect(postgres.url_of(database))
    call_command("migrate", database=alias, verbosity=0)
    return alias


@pytest.fixture(params=["postgresql", "sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def migrated(request, connect, tmp_path) -> str:
    if request.param == "postgresql":
        return request.getfixturevalue("alias")
    url = f"sqlite:///{tmp_path / 'db.sqlite3'}" if request.param == "sqlite" else request.getfixturevalue("mariadb")
    alias = connect(url)
    call_command("migrate", database=alias, verbosity=0)
    return alias


def test_all_is_there_and_costs_one_query(result, migrated) -> None:
    check = ModelSchema(migrated)
    connections[migrated].ensure_connection()
    with CaptureQueriesContext(connections[migrated]) as queries:
        told = result(check)
    assert len(queries) == 1
    assert told.problem is None
    assert told.evidence["tables"] == 12
    assert told.evidence["columns"] > 50
    with CaptureQueriesContext(connections[migrated]) as queries:
        assert result(check).status is Status.HEALTHY
    assert len(queries) == 1


def test_a_new_connection_costs_no_other_query(result, migrated) -> None:
    """As in a run of its own, which has a new connection each time."""
    check = ModelSchema(migrated)
    result(check)
    connections[migrated].close()
    del connections[migrated]
    with CaptureQueriesContext(connections[migrated]) as queries:
        assert result(check).status is Status.HEALTHY
    assert len([query for query in queries if "SELECT" in query["sql"] and "SQL_AUTO_IS_NULL" not in query["sql"]]) == 1


@pytest.mark.parametrize("check", [AppliedMigrations, ModelSchema])
def test_second_database_that_was_never_migrated_may_belong_to_another_application(
    result, connect, postgres, database, check
) -> None:
    """By default it is only degraded, and no hint says to migrate it."""
    told = result(check(connect(postgres.url_of(database)), may_be_foreign=True))
    assert told.status is Status.DEGRADED
    assert told.problem.code == "database_not_migrated"
    assert "migrate" not in told.problem.hint


def test_second_database_that_was_migrated_is_this_projects(problem, alias) -> None:
    """A table that is missing there is a fault."""
    execute(alias, "DROP TABLE analytics_events")
    assert problem(ModelSchema(alias, may_be_foreign=True)).code == "table_missing"


def test_an_empty_database(problem, connect, postgres, database) -> None:
    told = problem(ModelSchema(connect(postgres.url_of(database))))
    assert (told.code, told.fault) == ("table_missing", Fault.CONFIG)
    assert told.message == "0 of 12 tables exist: wrong or empty database."
    assert len(told.evidence["table_missing"]) == 12
    assert "DATABASE_URL" in told.hint


def test_another_projects_database(problem, alias) -> None:
    execute(alias, "DROP TABLE customers, api_keys, analytics_events, fun_with_flags_toggles CASCADE")
    told = problem(ModelSchema(alias, exclude=["auth", "contenttypes"]))
    assert told.message.startswith("Only 1 of 5 tables exist, perhaps in the wrong database")


def test_tables_outside_the_search_path(problem, alias, database) -> None:
    execute(alias, "CREATE SCHEMA legacy", "ALTER TABLE customers SET SCHEMA legacy")
    told = problem(ModelSchema(alias))
    assert told.message == (
        "This table is in schema legacy, which is not in the search_path, or which the user may not use: customers."
    )
    assert told.evidence["found_in_schemas"] == ["legacy"]
    assert "search_path" in told.hint
    execute(alias, "ALTER TABLE api_keys SET SCHEMA legacy", "DROP TABLE analytics_events")
    told = problem(ModelSchema(alias))
    assert "Missing table: analytics_events; these tables are in schema legacy" in told.message
    connections[alias].close()
    execute(alias, f"ALTER ROLE CURRENT_USER IN DATABASE {database} SET search_path = public, legacy")
    connections[alias].close()
    assert problem(ModelSchema(alias)).evidence["table_missing"] == ["analytics_events"]


def test_it_says_it_as_people_would(problem, result, alias) -> None:
    execute(alias, "ALTER TABLE customers ALTER metadata TYPE text")
    assert problem(ModelSchema(alias)).message == "customers.metadata is text, the model says jsonb."
    execute(alias, "ALTER TABLE customers ALTER metadata TYPE jsonb USING metadata::jsonb")
    execute(alias, "ALTER TABLE api_keys ADD legacy_code text NOT NULL")
    told = result(ModelSchema(alias))
    assert told.status is Status.DEGRADED
    assert told.problem.message == (
        "api_keys.legacy_code is NOT NULL without a default and no model knows it: INSERTs will fail."
    )


def test_all_that_is_wrong_is_told_worst_first(problem, alias) -> None:
    execute(
        alias,
        "ALTER TABLE api_keys ADD legacy_code text NOT NULL",
        "ALTER TABLE customers ALTER name TYPE varchar(10), DROP COLUMN is_staff",
        "DROP TABLE analytics_events",
    )
    told = problem(ModelSchema(alias))
    assert told.code == "table_missing"
    assert list(told.evidence) == ["alias", "table_missing", "column_missing", "column_unexpected", "column_narrower"]
    assert told.message.startswith("Missing table: analytics_events; missing columns: customers.is_staff; api_keys.leg")


def test_long_lists_are_cut_and_counted(result, alias) -> None:
    columns = ", ".join(f"ADD extra_{number} int NOT NULL" for number in range(30))
    execute(alias, f"ALTER TABLE customers {columns}")
    told = result(ModelSchema(alias)).problem
    assert len(told.evidence["column_unexpected"]) == 20
    assert told.evidence["column_unexpected_more"] == 10
    assert "and 25 more like that" in told.message


def test_what_changes_is_seen_and_so_is_the_repair(result, migrated) -> None:
    check = ModelSchema(migrated)
    for _ in range(2):
        assert result(check).problem is None
        execute(migrated, "ALTER TABLE fun_with_flags_toggles RENAME TO gone")
        assert result(check).problem.code == "table_missing"
        assert result(check).problem.evidence["table_missing"] == ["fun_with_flags_toggles"]
        execute(migrated, "ALTER TABLE gone RENAME TO fun_with_flags_toggles")


def test_the_server_is_asked_again_what_a_type_is_called(result, problem, connect, alias) -> None:
    """Whether a type is told with its schema depends on the search path."""
    execute(
        alias,
        "CREATE SCHEMA types; CREATE DOMAIN types.mail AS text; CREATE TABLE letters (id int, sender types.mail)",
    )
    from healthguard.checks import RequiredColumns

    check = RequiredColumns("letters", {"sender": "types.mail"}, alias)
    assert result(check).problem is None
    execute(alias, "SET search_path = public, types")
    assert result(check).problem is None
    assert problem(RequiredColumns("letters", {"id": "types.mail"}, alias)).code == "column_type"


def test_a_role_that_may_only_log_in(problem, connect, postgres, database, alias) -> None:
    """Each table is seen, and that it may not be read: information_schema would have told that there are none."""
    postgres.execute("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN PASSWORD 'r'", database)
    try:
        told = problem(ModelSchema(connect(postgres.url_as("reader", database, "r"), "reader")))
        assert told.code == "table_unreadable"
        assert [key for key in told.evidence if not key.endswith("_more")] == ["alias", "table_unreadable"]
        assert "GRANT" in told.hint.upper()
        postgres.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", database)
        connections["reader"].close()
        assert ModelSchema("reader").run()["tables"] == 12
    finally:
        connections["reader"].close()
        postgres.execute("DROP OWNED BY reader; DROP ROLE reader", database)


def test_locked_tables_delay_nothing(result, alias, postgres, database) -> None:
    import psycopg

    with psycopg.connect(postgres.url_of(database)) as other:
        other.execute("ALTER TABLE customers ADD COLUMN later text NOT NULL")
        other.execute("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE")
        told: list[object] = []
        run = threading.Thread(target=lambda: told.append(_on_this_thread(alias)))
        run.start()
        run.join(5)
        assert told == [None], "it waits for the lock"
        other.rollback()


def _on_this_thread(alias: str) -> object:
    try:
        return _on_this_thread_with(ModelSchema(alias), alias)
    finally:
        connections[alias].close()


def _on_this_thread_with(check: ModelSchema, alias: str) -> object:
    from healthguard.execution import result_of
    from healthguard.service import source_of

    return result_of(source_of(check), 5.0).problem


def test_apps_and_what_is_left_out(result, problem, alias) -> None:
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
        *({"apps": 3}, {"exclude": None}, {"like": "nowhere"}),
    ],
)
def test_a_declaration_that_cannot_be_meant(problem, alias, options) -> None:
    assert problem(ModelSchema(alias, **options)).code == "misdeclared"


class OnlyInDefault:
    """What people write for a replica: nothing is migrated there."""

    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool:
        return db == "default"


class VendingOnly:
    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool | None:
        return app_label == "vending" if db == "other" else None


def test_the_routers_say_what_belongs_where(result, alias) -> None:
    execute(alias, "DROP TABLE auth_group CASCADE", "DROP TABLE django_session")
    with override_settings(DATABASE_ROUTERS=[VendingOnly()]):
        told = result(ModelSchema(alias))
    assert told.problem is None
    assert told.evidence["tables"] == 4


def test_a_replica_is_looked_at_like_its_primary(result, problem, alias) -> None:
    with override_settings(DATABASE_ROUTERS=[OnlyInDefault()]):
        told = result(ModelSchema(alias))
        assert told.status is Status.DEGRADED
        assert told.problem.code == "nothing_expected"
        assert "like='default'" in told.problem.hint
        assert result(ModelSchema(alias, like="default")).evidence["tables"] == 12
        execute(alias, "DROP TABLE customers CASCADE")
        assert problem(ModelSchema(alias, like="default")).evidence["table_missing"] == ["customers"]


def checks_of(alias: str) -> list[object]:
    services = conf.default_services()["database"]
    return [check for check in services[alias] if not isinstance(check, tuple)]


def test_every_database_is_looked_at_by_default(alias) -> None:
    assert checks_of("default") == [AppliedMigrations("default"), ModelSchema("default")]
    assert checks_of(alias) == [
        AppliedMigrations(alias, may_be_foreign=True),
        ModelSchema(alias, may_be_foreign=True),
    ]


def test_a_database_that_no_model_is_let_into_has_no_schema_to_look_at(alias) -> None:
    with override_settings(DATABASE_ROUTERS=[OnlyInDefault()]):
        assert checks_of(alias) == [AppliedMigrations(alias, may_be_foreign=True)]
        assert checks_of("default") == [AppliedMigrations("default"), ModelSchema("default")]


def test_a_mirror_is_looked_at_like_its_primary_by_default(connect, postgres, database) -> None:
    alias = connect(postgres.url_of(database), TEST={"MIRROR": "default"})
    with override_settings(DATABASE_ROUTERS=[OnlyInDefault()]):
        assert checks_of(alias) == [AppliedMigrations(alias, like="default"), ModelSchema(alias, like="default")]


class Raises:
    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool:
        raise LookupError(app_label)


def test_a_router_that_raises_costs_the_database_service_alone(problem, alias) -> None:
    with override_settings(DATABASE_ROUTERS=[Raises()]):
        assert checks_of(alias) == [
            AppliedMigrations(alias, may_be_foreign=True),
            ModelSchema(alias, may_be_foreign=True),
        ]
        told = problem(ModelSchema(alias))
    assert (told.code, told.fault) == ("models_broken", Fault.CONFIG)
    assert "LookupError" in told.message


class ByModelName:
    """Django asks it about a many-to-many table by the model that has the field."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: object) -> bool:
        return model_name in self.names


@pytest.mark.parametrize(
    ("names", "tables"),
    [
        ({"permission", "contenttype", "group"}, {"auth_permission", "auth_group", "auth_group_permissions"}),
        ({"permission", "contenttype", "group_permissions"}, {"auth_permission"}),
    ],
)
def test_a_many_to_many_table_belongs_where_its_model_does(result, connect, postgres, database, names, tables) -> None:
    with override_settings(DATABASE_ROUTERS=[ByModelName(names)]):
        alias = connect(postgres.url_of(database))
        call_command("migrate", database=alias, verbosity=0)
        expected = expected_from_models(connections[alias])
        assert {table.name for table in expected} == tables | {"django_content_type"}
        assert result(ModelSchema(alias)).problem is None


def test_a_table_that_is_replaced_meanwhile_is_there(alias, postgres, database) -> None:
    """The catalog is not read in one moment: what seems to be wrong is looked at again."""
    ends = threading.Event()

    def replace() -> None:
        while not ends.is_set():
            postgres.execute(
                "BEGIN; CREATE TABLE new (LIKE fun_with_flags_toggles INCLUDING ALL);"
                "DROP TABLE fun_with_flags_toggles; ALTER TABLE new RENAME TO fun_with_flags_toggles; COMMIT",
                database,
            )

    replacing = threading.Thread(target=replace)
    replacing.start()
    try:
        check = ModelSchema(alias)
        told = [_on_this_thread_with(check, alias) for _ in range(300)]
    finally:
        ends.set()
        replacing.join()
    assert sum(problem is not None for problem in told) <= 3


def test_a_thousand_tenants_are_not_all_named(problem, alias) -> None:
    schemas = "".join(f"CREATE SCHEMA tenant_{number}; CREATE TABLE tenant_{number}.x (y int);" for number in range(60))
    execute(alias, schemas, "CREATE TABLE x (y int)")
    from healthguard.checks import RequiredTables

    execute(alias, "DROP TABLE x")
    told = problem(RequiredTables(["x"], alias))
    assert "and 40 more" in told.message
    assert len(told.evidence["found_in_schemas"]) == 20


@pytest.mark.parametrize("options", [{"server_side_binding": True}, {"pool": True}])
def test_in_djangos_own_connection_whatever_its_options(result, alias, connect, postgres, database, options) -> None:
    other = connect(postgres.url_of(database), "options", OPTIONS=options)
    assert result(ModelSchema(other)).problem is None
    assert result(AppliedMigrations(other)).problem is None
    connections[other].close()
    if "pool" in options:
        connections[other].close_pool()


def test_models_that_share_a_table(alias) -> None:
    """Together they know its columns; of one that nobody migrates, only that it knows some."""
    with isolate_apps("example_project.vending") as registry:

        class One(models.Model):
            left = models.TextField()

            class Meta:
                app_label = "vending"
                db_table = "shared"

        class Two(models.Model):
            right = models.TextField()

            class Meta:
                app_label = "vending"
                db_table = "shared"

        class Three(models.Model):
            legacy = models.TextField()

            class Meta:
                app_label = "vending"
                db_table = "shared"
                managed = False

        assert apps is not registry
        from healthguard.schema import from_models

        original = from_models.apps
        from_models.apps = registry
        try:
            expected = expected_from_models(connections[alias])
        finally:
            from_models.apps = original
    (table,) = expected.values()
    assert list(expected) == [TableName("shared")]
    assert set(table.columns) == {"id", "left", "right"}
    assert table.known == {"id", "left", "right", "legacy"}


@pytest.mark.parametrize(
    ("written", "quoted", "name"),
    [
        ("orders", '"orders"', TableName("orders")),
        ("billing.orders", '"billing"."orders"', TableName("orders", "billing")),
        ('billing"."orders', '"billing"."orders"', TableName("orders", "billing")),
        ('"with.dot"', '"with.dot"', TableName("with.dot")),
        ("orders", "`orders`", TableName("orders")),
        ("billing.orders", "`billing`.`orders`", TableName("orders", "billing")),
    ],
)
def test_names_of_tables(written, quoted, name) -> None:
    assert TableName.of(written) == name
    assert TableName.of_quoted(quoted) == name


@pytest.mark.mariadb
def test_locked_tables_delay_nothing_on_mariadb(result, connect, mariadb) -> None:
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
    # It waits for the reader, and whoever comes after it to read a row waits for it.
    waiting = threading.Thread(target=lambda: writer.execute("ALTER TABLE customers ADD later int"), daemon=True)
    waiting.start()
    locker.execute("LOCK TABLES django_session WRITE")
    try:
        # It would wait for the tables until its timeout.
        assert result(check).problem is None
        assert waiting.is_alive()
    finally:
        others[0].rollback()
        waiting.join(60)
        for other in others:
            other.close()
