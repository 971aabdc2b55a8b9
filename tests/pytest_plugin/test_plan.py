"""The plan for a check: what a test runs, and on which databases."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from example_project.postgres import Postgres
from healthguard import Service
from healthguard.checks import AppliedMigrations, DatabaseName
from healthguard.pytest_plugin.plan import Plan, plan_check
from healthguard.service import resolve_service
from tests.management.outcomes import Passes
from tests.support.fixture_types import Connect


class RaisesProperty(Passes):
    """A check whose property raises."""

    @property
    def needs_deployment(self) -> bool:
        raise ZeroDivisionError


def plan_of(check: Any, *, is_deployment: bool = False) -> Plan:
    service = resolve_service(Service(check), ("one",))
    return plan_check(service, service.sources[0], is_deployment=is_deployment)


def test_check_of_a_database_uses_it_and_the_default_one(connect: Connect, postgres: Postgres) -> None:
    """Django creates the test database of an alias after that of the default alias."""
    connect(postgres.url, alias="unused")
    assert set(plan_of(AppliedMigrations(connect(postgres.url))).databases) == {"default", "other"}


def test_replica_uses_its_primary(connect: Connect, postgres: Postgres) -> None:
    connect(postgres.url, alias="primary", TEST={"DEPENDENCIES": []})
    replica = connect(postgres.url, alias="replica", TEST={"MIRROR": "primary"})
    assert set(plan_of(AppliedMigrations(replica)).databases) == {"primary", "replica"}


def test_dependencies_of_a_database_are_used(connect: Connect, postgres: Postgres) -> None:
    """Django does not create a test database without those that it depends on."""
    connect(postgres.url, alias="first", TEST={"DEPENDENCIES": ["default"]})
    second = connect(postgres.url, alias="second", TEST={"DEPENDENCIES": ["first"]})
    assert set(plan_of(AppliedMigrations(second)).databases) == {"default", "first", "second"}


def test_other_check_may_use_all_databases(connect: Connect, postgres: Postgres) -> None:
    connect(postgres.url)
    assert set(plan_of(Passes()).databases) == {"default", "other"}


def test_alias_without_an_engine_is_not_used(connect: Connect, postgres: Postgres) -> None:
    connect(postgres.url, alias="dummy", ENGINE="django.db.backends.dummy")
    assert plan_of(Passes()).databases == ("default",)


def test_database_of_a_deployment_is_not_queried(connect: Connect) -> None:
    plan = plan_of(DatabaseName("shop", connect("postgres://app@127.0.0.1:1/shop")), is_deployment=True)
    assert (plan.databases, plan.skip_reason) == ((), None)
    assert [result.status for result in plan.run().checks] == ["healthy"]


def test_database_without_a_name_in_the_settings_is_skipped(connect: Connect) -> None:
    """A service file of libpq contains its name."""
    alias = connect("postgres://app@127.0.0.1:1/", NAME="", OPTIONS={"service": "shop"})
    plan = plan_of(DatabaseName("shop", alias), is_deployment=True)
    assert plan.skip_reason is not None
    assert plan.skip_reason.startswith("The settings do not contain the name of the database")


@pytest.mark.parametrize("is_deployment", [True, False])
def test_check_whose_property_raises_is_run(is_deployment: bool) -> None:
    assert plan_of(RaisesProperty(), is_deployment=is_deployment).skip_reason is None


def test_run_ignores_the_problem_of_the_declaration() -> None:
    """An item of its own reports it."""
    with override_settings(HEALTHGUARD={"SERVICES": {"one": Passes()}, "TTL": 1}):
        assert plan_of(Passes()).run().path == ("one",)
