"""The database routers decide which tables ModelSchema expects, and which databases are checked by default."""

from __future__ import annotations

import pytest
from django.test import override_settings

from example_project.postgres import Postgres
from healthguard import conf
from healthguard.checks import AppliedMigrations, ModelSchema
from healthguard.status import Fault, Status
from tests.support.fixture_types import Connect, FindProblem, RunCheck
from tests.support.results import problem_of
from tests.support.sql import execute


@pytest.fixture
def alias(connect: Connect, postgres: Postgres, migrated_database: str) -> str:
    """The alias of a migrated database on PostgreSQL."""
    return connect(postgres.url_of(migrated_database))


class OnlyInDefault:
    """The usual router of a project with a replica, to which nothing is migrated."""

    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool:
        return db == "default"


class VendingOnly:
    """A router that allows the models of one app in the database ``other``."""

    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool | None:
        return app_label == "vending" if db == "other" else None


class RaisingRouter:
    """A router with a bug."""

    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool:
        raise LookupError(app_label)


def test_only_tables_that_the_routers_allow_are_checked(result: RunCheck, alias: str) -> None:
    execute(alias, "DROP TABLE auth_group CASCADE", "DROP TABLE django_session")
    with override_settings(DATABASE_ROUTERS=[VendingOnly()]):
        outcome = result(ModelSchema(alias))
    assert outcome.problem is None
    assert outcome.evidence["tables"] == 4


def test_replica_is_checked_like_the_primary_that_mirror_of_names(
    result: RunCheck, problem: FindProblem, alias: str
) -> None:
    with override_settings(DATABASE_ROUTERS=[OnlyInDefault()]):
        outcome = result(ModelSchema(alias))
        assert outcome.status is Status.DEGRADED
        assert problem_of(outcome).code == "nothing_expected"
        assert "mirror_of='default'" in problem_of(outcome).hint
        assert result(ModelSchema(alias, mirror_of="default")).evidence["tables"] == 12
        execute(alias, "DROP TABLE customers CASCADE")
        assert problem(ModelSchema(alias, mirror_of="default")).evidence["table_missing"] == ["customers"]


def default_checks(alias: str) -> list[object]:
    """Return healthguard's own checks of the database ``alias`` if no service is declared."""
    services = conf.default_services()["database"]
    return [check for check in services[alias] if not isinstance(check, tuple)]


def test_every_database_is_checked_by_default(alias: str) -> None:
    assert default_checks("default") == [AppliedMigrations("default"), ModelSchema("default")]
    assert default_checks(alias) == [
        AppliedMigrations(alias, may_be_foreign=True),
        ModelSchema(alias, may_be_foreign=True),
    ]


def test_database_without_allowed_models_gets_no_schema_check_by_default(alias: str) -> None:
    with override_settings(DATABASE_ROUTERS=[OnlyInDefault()]):
        assert default_checks(alias) == [AppliedMigrations(alias, may_be_foreign=True)]
        assert default_checks("default") == [AppliedMigrations("default"), ModelSchema("default")]


def test_mirror_for_tests_is_checked_like_its_primary_by_default(
    connect: Connect, postgres: Postgres, database: str
) -> None:
    alias = connect(postgres.url_of(database), TEST={"MIRROR": "default"})
    with override_settings(DATABASE_ROUTERS=[OnlyInDefault()]):
        assert default_checks(alias) == [
            AppliedMigrations(alias, mirror_of="default"),
            ModelSchema(alias, mirror_of="default"),
        ]


def test_router_that_raises_fails_the_check_but_not_the_default_services(problem: FindProblem, alias: str) -> None:
    with override_settings(DATABASE_ROUTERS=[RaisingRouter()]):
        assert default_checks(alias) == [
            AppliedMigrations(alias, may_be_foreign=True),
            ModelSchema(alias, may_be_foreign=True),
        ]
        found = problem(ModelSchema(alias))
    assert (found.code, found.fault) == ("models_broken", Fault.CONFIG)
    assert "LookupError" in found.message
