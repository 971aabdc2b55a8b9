"""The drill: sabotaged copies of every check must fail, and a check that has become blind is found."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import override_settings
from health_check.checks import Cache
from pytest_httpserver import HTTPServer

from example_project.postgres import Postgres
from example_project.provider_simulator import Simulator
from healthguard import Degraded, Fault, Sabotage, Unhealthy, checks
from healthguard.checks import (
    AIProviderKey,
    AppliedMigrations,
    CredentialExchange,
    DatabaseName,
    EnvironmentVariable,
    HTTPEndpoint,
    ModelSchema,
    RequiredColumns,
    RequiredTables,
    SecretKey,
)
from healthguard.checks.base import Check
from healthguard.conf import settings
from healthguard.probes.drill import Exercise, drill, worst_proof
from healthguard.providers import Provider
from healthguard.service import Service, Tree, resolve_service
from healthguard.service.sabotages import Proof
from healthguard.status import Evidence
from tests.support.ai_keys import KEYS
from tests.support.fixture_types import Connect, Declare
from tests.support.machine_services import mariadb_database

CUSTOMERS = {"admin_level": "varchar", "monthly_limit": "integer"}


def database_checks(alias: str, name: str) -> list[Check]:
    return [
        DatabaseName(name, alias),
        RequiredTables(["customers", "api_keys"], alias),
        RequiredColumns("customers", CUSTOMERS, alias),
        ModelSchema(alias),
        AppliedMigrations(alias),
    ]


@pytest.fixture
def run(healthguard_settings: Declare) -> Any:
    """Declare one service with these checks, run the drill, and return the exercises."""

    def drilled(*checks: Any) -> tuple[Exercise, ...]:
        healthguard_settings({"one": list(checks)})
        return drill(settings.tree(), may_be_inline=False)

    return drilled


@pytest.fixture(params=["postgresql", "sqlite", pytest.param("mysql", marks=pytest.mark.mariadb)])
def database_alias(
    request: pytest.FixtureRequest,
    connect: Connect,
    postgres: Postgres,
    migrated_template: str,
    tmp_path: Any,
) -> Iterator[tuple[str, str]]:
    """The alias and the name of a migrated database, on each engine."""
    if request.param == "postgresql":
        yield connect(postgres.url_of(migrated_template)), migrated_template
    elif request.param == "sqlite":
        alias = connect(f"sqlite:///{tmp_path}/shop.sqlite3")
        call_command("migrate", database=alias, verbosity=0)
        yield alias, "shop.sqlite3"
    else:
        with mariadb_database("healthguard_test_drill") as url:
            alias = connect(url)
            call_command("migrate", database=alias, verbosity=0)
            yield alias, "healthguard_test_drill"


def test_every_check_of_a_database_can_fail(database_alias: tuple[str, str], run: Any) -> None:
    alias, name = database_alias
    exercises = run(*database_checks(alias, name))
    assert [exercise for exercise in exercises if exercise.proof is not Proof.PROVEN] == []
    assert {exercise.check for exercise in exercises} == {type(check).__name__ for check in database_checks("", "")}
    types = {exercise.check for exercise in exercises if exercise.sabotage == "another type of a column"}
    # SQLite stores any value in a column of any type.
    is_enforced = connections[alias].vendor != "sqlite"
    assert types == ({"RequiredColumns", "ModelSchema"} if is_enforced else set())


def test_every_check_is_drilled_here(deployment: list[Check]) -> None:
    drilled = {type(check).__name__ for check in [*database_checks("", ""), *deployment]}
    assert drilled == set(checks.__all__)


def blind_database(self: Check) -> Mapping[str, Evidence]:
    return {}


async def blind(self: Check) -> Mapping[str, Evidence]:
    return {}


@pytest.mark.parametrize(
    "blinded",
    [DatabaseName, RequiredTables, RequiredColumns, ModelSchema, AppliedMigrations],
    ids=lambda cls: cls.__name__,
)
def test_blind_check_of_a_database_escapes(
    blinded: type[Check],
    run: Any,
    connect: Connect,
    postgres: Postgres,
    migrated_template: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(blinded, "run", blind_database)
    exercises = run(*database_checks(connect(postgres.url_of(migrated_template)), migrated_template))
    assert {exercise.check for exercise in exercises if exercise.proof is Proof.ESCAPED} == {blinded.__name__}
    assert {exercise.check for exercise in exercises if exercise.proof is Proof.PROVEN}.isdisjoint({blinded.__name__})


@pytest.fixture
def deployment(provider: Simulator, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    """The checks of a deployment in which all is well."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEYS["anthropic"])
    monkeypatch.setenv("PAYMENT_SECRET", "Zk3-9fQ_x7LwP2mTnB8sVyR4")
    provider.keys |= {KEYS["anthropic"]}
    httpserver.expect_request("/things").respond_with_json({"status": "ok"})
    url = httpserver.url_for
    return [
        SecretKey(),
        EnvironmentVariable("PAYMENT_SECRET", pattern="^Zk3", min_bytes=20),
        AIProviderKey("anthropic"),
        HTTPEndpoint(url("/things"), expect={"status": "ok"}),
        HTTPEndpoint(url("/things"), method="POST", json={"pay": 1}, expect_status=[200, 201], expect={"$": ".*"}),
        CredentialExchange(url("/exchange"), ["anthropic", "openai"], verify=True),
    ]


@pytest.mark.parametrize(
    "blinded",
    [None, SecretKey, EnvironmentVariable, AIProviderKey, HTTPEndpoint, CredentialExchange],
    ids=lambda cls: getattr(cls, "__name__", "none"),
)
def test_every_other_check_can_fail_and_a_blind_one_escapes(
    blinded: type[Check] | None,
    run: Any,
    deployment: list[Check],
    provider: Simulator,
    httpserver: HTTPServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only requests that change nothing are sent, and no key is verified twice."""
    if blinded is not None:
        is_async = blinded in (AIProviderKey, HTTPEndpoint, CredentialExchange)
        monkeypatch.setattr(blinded, "run", blind if is_async else blind_database)
    exercises = run(*deployment)
    escaped = {exercise.check for exercise in exercises if exercise.proof is Proof.ESCAPED}
    assert escaped == ({blinded.__name__} if blinded else set())
    others = [exercise for exercise in exercises if exercise.check not in escaped]
    assert [exercise for exercise in others if exercise.proof is not Proof.PROVEN] == []
    assert {exercise.check for exercise in exercises} == {type(check).__name__ for check in deployment}
    assert {request.method for request, _ in httpserver.log} <= {"GET"}
    assert len(set(provider.received)) == len(provider.received)


def test_sabotage_that_fails_for_another_reason_proves_nothing(run: Any, connect: Connect) -> None:
    alias = connect("postgresql://nobody@127.0.0.1:1/nothing")
    (exercise,) = run(RequiredTables(["customers"], alias))
    assert exercise.proof is Proof.BLOCKED
    assert exercise.problem.code == "database_unreachable"


@dataclasses.dataclass(repr=False)
class Loose(Check):
    """A check of a package that knows nothing of problem codes."""

    limit: int = 1
    raises: Any = None

    def sabotages(self) -> Iterator[Sabotage]:
        yield Sabotage("a limit of 0", dataclasses.replace(self, limit=0))

    def run(self) -> None:
        if self.limit == 0 and self.raises is not None:
            raise self.raises


def problem(code: str, kind: Any = Unhealthy) -> Exception:
    error: Exception = kind(code, "It is full.", fault=Fault.CONFIG, hint="Empty it.")
    return error


@pytest.mark.parametrize(
    ("raised", "proof"),
    [
        (problem("disk_full"), Proof.PROVEN),
        (problem("disk_full", Degraded), Proof.PROVEN),
        (None, Proof.ESCAPED),
        (TypeError("a defect of the check"), Proof.BLOCKED),
        (problem("database_refused"), Proof.BLOCKED),
    ],
)
def test_sabotage_without_codes_is_proven_by_any_problem_that_the_check_reports(
    raised: Exception | None, proof: Proof, run: Any
) -> None:
    (exercise,) = run(Loose(raises=raised))
    assert (exercise.sabotage, exercise.proof) == ("a limit of 0", proof)


class Broken(Loose):
    """A check whose sabotages cannot be obtained."""

    def sabotages(self) -> Iterator[Sabotage]:
        raise RuntimeError("s3cret")


def test_checks_without_usable_sabotages(run: Any) -> None:
    exercises = run(Cache(), Broken(), EnvironmentVariable("NOT A NAME"), "no.such.Check")
    assert [exercise.proof for exercise in exercises] == [Proof.UNPROVEN, *[Proof.BLOCKED] * 3]
    messages = [exercise.problem.message for exercise in exercises if exercise.problem is not None]
    assert messages[0] == ("The sabotages of Broken cannot be obtained: its method sabotages() raised RuntimeError.")
    assert "EnvironmentVariable takes the name of a variable" in messages[1]
    assert worst_proof(exercises) is Proof.BLOCKED
    assert worst_proof(()) is Proof.PROVEN


@pytest.mark.parametrize(
    ("offered", "message"),
    [
        (None, "yielded a value of type NoneType"),
        ([Cache()], "yielded a value of type Cache"),
        (Sabotage("one alone", Cache()), None),
        ([Sabotage(None, Cache())], "yielded a Sabotage with arguments of wrong types"),  # type: ignore[arg-type]
        ([Sabotage("codes", Cache(), 5)], "yielded a Sabotage with arguments of wrong types"),  # type: ignore[arg-type]
        ("text", "yielded a value of type str"),
    ],
)
def test_value_that_is_not_a_sabotage_is_named(offered: Any, message: str | None, run: Any) -> None:
    class Wrong(Loose):
        def sabotages(self) -> Any:
            return offered

    (exercise,) = run(Wrong())
    if message is None:
        assert exercise.sabotage == "one alone"
    else:
        assert exercise.proof is Proof.BLOCKED
        assert message in exercise.problem.message


class Attribute(Loose):
    """A check with an attribute in place of the method."""

    sabotages = ()  # type: ignore[assignment]


def test_attribute_in_place_of_the_method_is_a_mistake(run: Any) -> None:
    (exercise,) = run(Attribute())
    assert exercise.proof is Proof.BLOCKED


@pytest.mark.parametrize(
    ("value", "options"),
    [
        ("", {"min_bytes": 0}),
        ("", {"min_bytes": 0, "pattern": r"^\d*$"}),
        ("", {"min_bytes": 8, "allow": [""]}),
        ("", {"allow": [""], "pattern": "^$"}),
        ("\u65e5\u672c\u8a9e\u306e\u5024-8472", {"min_bytes": 2}),
        ("changeme", {"allow": ["changeme"], "min_bytes": 4}),
        ("changeme", {"pattern": "^changeme$"}),
        ("41", {"pattern": re.compile(r"^\d+$")}),
        ("1", {}),
    ],
)
def test_sabotages_of_a_healthy_variable_are_proven(
    value: str, options: dict[str, Any], run: Any, result: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPTION", value)
    check = EnvironmentVariable("OPTION", **options)
    assert result(check).problem is None
    assert [exercise for exercise in run(check) if exercise.proof is not Proof.PROVEN] == []


@pytest.mark.parametrize("key", [bytes(range(0x80, 0xC0)) + b"abcdefgh", "\u043a\u043b\u044e\u0447-" * 20])
def test_sabotages_of_a_key_that_is_not_ascii_are_proven(key: bytes | str) -> None:
    tree = Tree({"one": resolve_service(Service(SecretKey()), ("one",))})
    with override_settings(SECRET_KEY=key):
        exercises = drill(tree, may_be_inline=False)
    assert [exercise for exercise in exercises if exercise.proof is not Proof.PROVEN] == []


@pytest.mark.parametrize("type_", ["date", "pg_catalog.date", '"date"', " date ", "timestamp", "varchar", None])
def test_sabotages_of_any_type_are_proven(
    type_: str | None, run: Any, result: Any, connect: Connect, postgres: Postgres, database: str
) -> None:
    column = type_ or "integer"
    postgres.execute(f"CREATE TABLE things (value {column})", database)
    check = RequiredColumns("things", {"value": type_}, connect(postgres.url_of(database)))
    assert result(check).problem is None
    assert [exercise for exercise in run(check) if exercise.proof is not Proof.PROVEN] == []


def test_model_schema_without_tables_blames_no_imagined_table(run: Any, connect: Connect, tmp_path: Any) -> None:
    (tmp_path / "empty.sqlite3").touch()
    exercises = run(ModelSchema(connect(f"sqlite:///{tmp_path}/empty.sqlite3"), apps=[]))
    codes = {exercise.sabotage: exercise.problem.code for exercise in exercises}
    assert codes == {"one table more": "table_missing", "one column more": "nothing_expected"}


@pytest.mark.parametrize("unknown_keys", ["tested", "accepted"])
def test_changed_key_is_sent_once_unless_every_key_is_accepted(
    unknown_keys: str, run: Any, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rejection that does not refer to the key is usually confirmed by a second request."""
    monkeypatch.setenv("OWN_KEY", "Zk3-9fQ_x7LwP2mTnB8sVyR4")
    httpserver.expect_request("/models").respond_with_data("no", 401)
    url = httpserver.url_for("/").rstrip("/")
    provider = Provider(name="own", variables=("OWN_KEY",), base_url=url, unknown_keys=unknown_keys)
    exercises = run(AIProviderKey(provider))
    assert [exercise for exercise in exercises if exercise.proof is not Proof.PROVEN] == []
    changed = [exercise for exercise in exercises if exercise.sabotage == "the last character of the key differs"]
    assert len(changed) == (unknown_keys == "tested")
    keys = [request.headers["authorization"] for request, _ in httpserver.log]
    assert len(keys) == len(set(keys))


class Asking:
    """A router that queries a database."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        raise RuntimeError("database access is not allowed here")


def test_router_that_cannot_be_asked_does_not_hide_the_sabotage() -> None:
    with override_settings(DATABASE_ROUTERS=[Asking()]):
        assert [sabotage.description for sabotage in AppliedMigrations().sabotages()] == ["one migration more"]
