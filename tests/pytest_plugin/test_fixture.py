"""The fixture ``healthguard``, in the process of these tests."""

from __future__ import annotations

import asyncio
import logging
import urllib.error
import urllib.request
from typing import Any

import pytest
from django.test import AsyncClient, Client

from example_project.vending.models import Customer
from healthguard import Fault, Service
from healthguard.checks import RequiredTables
from healthguard.conf import settings
from healthguard.pytest_plugin import HealthGuard
from healthguard.service.selection import UnknownNameError
from healthguard.status import Status
from tests.management.outcomes import Fails, Passes
from tests.support.fixture_types import Declare

HEALTH, READY = "/api/health", "/api/health/ready"


@pytest.fixture(autouse=True)
def declared(healthguard_settings: Declare) -> None:
    healthguard_settings(
        {
            "database": Service(Passes(), Passes(), ready="always"),
            "group": {"cache": Service(Passes(), critical=False), "report": Service(Passes(), ready="never")},
        },
        DETAILS_TOKENS=["vq3zN8rT5wXb7Yc2KdLm"],
        INLINE=True,
    )


def statuses(client: Client) -> Any:
    return client.get(HEALTH).json()["services"]


def problem_of(client: Client, service: str) -> Any:
    reply = client.get(f"{HEALTH}/{service}", headers={"Authorization": "Bearer vq3zN8rT5wXb7Yc2KdLm"})
    (check,) = reply.json()["checks"]
    return check


def test_report_has_the_results_of_the_declared_services(healthguard: HealthGuard) -> None:
    report = healthguard.report()
    assert report.status is Status.HEALTHY
    assert [service.name for service in report.services()] == ["database", "group/cache", "group/report"]


@pytest.mark.django_db
def test_report_is_made_in_the_transaction_of_the_test(
    healthguard: HealthGuard, healthguard_settings: Declare, django_user_model: Any
) -> None:
    from django.db import connection

    # INLINE need not be set.
    healthguard_settings({"database": RequiredTables(["made_by_the_test"])}, INLINE=False)
    assert healthguard.report().status is Status.UNHEALTHY
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE made_by_the_test (id int)")
    assert healthguard.report().status is Status.HEALTHY


def test_report_changes_with_a_broken_service(healthguard: HealthGuard) -> None:
    with healthguard.broken("database", code="table_missing"):
        report = healthguard.report()
    assert report.status is Status.UNHEALTHY
    assert [problem.code for service in report.services() for problem in service.problems] == ["table_missing"]


def test_broken_service_fails_until_the_block_ends(healthguard: HealthGuard, client: Client) -> None:
    with healthguard.broken("database"):
        assert client.get(HEALTH).status_code == 503
        assert statuses(client)["database"] == "unhealthy"
    assert statuses(client)["database"] == "healthy"


def test_broken_service_reports_the_given_problem(healthguard: HealthGuard, client: Client) -> None:
    with healthguard.broken(
        "database", code="table_missing", message="No orders.", hint="Migrate.", fault=Fault.OUTAGE
    ):
        problem = problem_of(client, "database")
    assert {name: problem[name] for name in ("code", "message", "hint", "fault")} == {
        "code": "table_missing",
        "message": "No orders.",
        "hint": "Migrate.",
        "fault": "outage",
    }


def test_service_can_be_degraded(healthguard: HealthGuard, client: Client) -> None:
    with healthguard.broken("database", degraded=True):
        assert client.get(HEALTH).status_code == 200
        assert statuses(client)["database"] == "degraded"


@pytest.mark.parametrize(
    ("service", "ready", "status"),
    [("database", 503, "unhealthy"), ("group.cache", 200, "degraded"), ("group/report", 200, "unhealthy")],
)
def test_policy_of_the_service_is_kept(
    healthguard: HealthGuard, client: Client, service: str, ready: int, status: str
) -> None:
    """``ready`` and ``critical`` decide what the failure means for the pod."""
    with healthguard.broken(service):
        assert client.get(READY).status_code == ready
        assert client.get(HEALTH).json()["status"] == status


def test_all_services_of_a_group_can_fail(healthguard: HealthGuard, client: Client) -> None:
    with healthguard.broken("group"):
        assert statuses(client) == {"database": "healthy", "group": {"cache": "degraded", "report": "unhealthy"}}


def test_blocks_can_be_nested_and_repeated(healthguard: HealthGuard, client: Client) -> None:
    for _ in range(2):
        with healthguard.broken("database", code="outer"):
            with healthguard.broken("group/report", code="inner"):
                assert problem_of(client, "group/report")["code"] == "inner"
                assert statuses(client)["database"] == "unhealthy"
            with healthguard.broken("database", code="again"):
                assert problem_of(client, "database")["code"] == "again"
            assert problem_of(client, "database")["code"] == "outer"
            assert statuses(client)["group"]["report"] == "healthy"
    assert client.get(HEALTH).json()["status"] == "healthy"


def test_block_that_raises_ends_the_failure(healthguard: HealthGuard, client: Client) -> None:
    with pytest.raises(ZeroDivisionError), healthguard.broken("database"):
        raise ZeroDivisionError
    assert statuses(client)["database"] == "healthy"


def test_unknown_name_is_an_error_with_the_nearest_name(healthguard: HealthGuard) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'database'?"), healthguard.broken("databse"):
        pass


def test_invalid_fault_is_an_error(healthguard: HealthGuard) -> None:
    with pytest.raises(ValueError, match="storm"), healthguard.broken("database", fault="storm"):  # type: ignore[arg-type]
        pass


def test_default_services_can_fail(
    healthguard: HealthGuard, healthguard_settings: Declare, settings: Any, client: Client
) -> None:
    """A project without SERVICES has the default ones."""
    settings.HEALTHGUARD = {"PUBLIC": "services", "INLINE": True}
    with healthguard.broken("django_config", code="secret_key_empty"):
        report = healthguard.report()
    assert [service.name for service in report.services()] == ["django_config", "database"]
    assert report.services()[0].status is Status.UNHEALTHY


def test_setting_without_inline_becomes_inline(healthguard: HealthGuard, settings: Any) -> None:
    settings.HEALTHGUARD = {"SERVICES": {"good": Passes()}, "PUBLIC": "status"}
    with healthguard.broken("good"):
        assert settings.HEALTHGUARD["INLINE"] is True
        assert settings.HEALTHGUARD["PUBLIC"] == "status"


def test_setting_with_inline_is_kept(healthguard: HealthGuard, healthguard_settings: Declare) -> None:
    healthguard_settings({"good": Passes()}, INLINE=False)
    with healthguard.broken("good"):
        assert settings.inline is False


def test_other_services_keep_their_checks(healthguard: HealthGuard, healthguard_settings: Declare) -> None:
    healthguard_settings({"good": Passes(), "bad": Fails()})
    with healthguard.broken("good", code="simulated"):
        report = healthguard.report()
    assert [service.problems[0].code for service in report.services()] == ["simulated", "plug_out"]


def test_failure_is_logged_as_any_other(
    healthguard: HealthGuard, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """A project tests its own alert with it."""
    with caplog.at_level(logging.INFO, "healthguard"), healthguard.broken("database", code="table_missing"):
        client.get(HEALTH)
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage().startswith("database: ")
    assert "table_missing" in record.getMessage()


def test_asynchronous_client_gets_the_failure(healthguard: HealthGuard) -> None:
    async def request() -> int:
        return (await AsyncClient().get(READY)).status_code

    with healthguard.broken("database"):
        assert asyncio.run(request()) == 503
    assert asyncio.run(request()) == 200


@pytest.mark.django_db(transaction=True)
def test_live_server_gets_the_failure(healthguard: HealthGuard, live_server: Any) -> None:
    with healthguard.broken("database"), pytest.raises(urllib.error.HTTPError, match="503"):
        urllib.request.urlopen(f"{live_server.url}{READY}")
    with urllib.request.urlopen(f"{live_server.url}{READY}") as reply:
        assert reply.status == 200


@pytest.mark.django_db
def test_rows_of_the_test_are_kept(healthguard: HealthGuard, client: Client) -> None:
    Customer.objects.create(name="Ada")
    with healthguard.broken("database"):
        client.get(HEALTH)
    assert Customer.objects.get().name == "Ada"
