"""healthguard's checks work unchanged in django-health-check's view, and its checks in healthguard."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from example_project.postgres import Postgres
from healthguard.checks import DatabaseName, RequiredTables, SecretKey
from healthguard.http.handler import Request, respond
from tests.support.fixture_types import Connect
from tests.support.sites import Server, Site

GetHealth = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]
"""``get_health(services)`` declares services and returns the status and the body of a response with details."""
DATABASE = f"healthguard_theirs_{os.getpid()}"
TOKEN = "details-token-0123456789"
OURS = [
    ("healthguard.checks.SecretKey", {"min_bytes": 50}),
    ("healthguard.checks.EnvironmentVariable", {"name": "NO_SUCH_VARIABLE_OF_OURS"}),
    ("healthguard.checks.DatabaseName", {"name": "rsolv_platform_prod"}),
    ("healthguard.checks.RequiredTables", {"tables": ["no_such_table"]}),
    ("healthguard.checks.RequiredColumns", {"table": "customers", "columns": {"metadata": "text"}}),
    ("healthguard.checks.AppliedMigrations", {}),
    ("healthguard.checks.AIProviderKey", {"provider": "anthropic"}),
    ("healthguard.checks.HTTPEndpoint", {"url": "/tables/?token=pl4nted", "expect": {"tables": "[1-9][0-9]*"}}),
    ("healthguard.checks.CredentialExchange", {"url": "/tables/", "providers": ["anthropic"]}),
]


URLS = f"""
from django.db import connection
from django.http import JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from health_check.views import HealthCheckView
@csrf_exempt
def tables(request):
    return JsonResponse({{"tables": len(connection.introspection.table_names())}})
urlpatterns = [
    path("api/health", include("healthguard.urls")),
    path("tables/", tables),
    path("theirs/", HealthCheckView.as_view(checks={OURS!r})),
]
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Server]:
    """Serve a project with both views and the tables of the example project."""
    site = Site(tmp_path_factory.mktemp("site"))
    site.environment = {"ANTHROPIC_API_KEY": "mock-key", "DATABASE_URL": postgres.create(DATABASE)}
    site.write(
        """
        import dj_database_url
        DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
        INSTALLED_APPS += ["health_check", "example_project.vending"]
        TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
        """,
        URLS,
    ).migrate()
    yield site.serve("gunicorn-gthread")
    site.stop()
    postgres.drop(DATABASE)


@pytest.mark.parametrize("format", ["json", "html", "text", "openmetrics", "atom", "rss"])
def test_view_of_django_health_check_reports_checks_of_healthguard(
    served: Server, postgres: Postgres, format: str
) -> None:
    reply = served.get(f"/theirs/{'' if format == 'html' else f'?format={format}'}", host="example.com")
    text = reply.body.decode()
    assert reply.status == (200 if format in ("openmetrics", "atom", "rss") else 500)
    assert "mock-key" not in text + served.log
    assert "pl4nted" not in text + served.log
    assert "SecretKey" in text
    count = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{DATABASE}'"
    ends = time.monotonic() + 60
    while postgres.execute(count) != [(0,)]:
        # PostgreSQL notices a closed connection after a moment.
        assert time.monotonic() < ends, "a connection of ours is left open in its threads"
        time.sleep(0.05)


def test_json_of_django_health_check_has_the_result_of_each_check(served: Server) -> None:
    results = served.get("/theirs/?format=json", host="example.com").json
    assert len(results) == len(OURS)
    assert {name for name, message in results.items() if message == "OK"} == {
        *("SecretKey(min_bytes=50)", "AppliedMigrations(alias='default')", "HTTPEndpoint('/tables/')"),
    }
    failing = {name.partition("(")[0]: message for name, message in results.items() if message != "OK"}
    assert set(failing) == {
        *("EnvironmentVariable", "DatabaseName", "RequiredTables", "RequiredColumns", "AIProviderKey"),
        "CredentialExchange",
    }
    assert failing["DatabaseName"].startswith("Unavailable: Database 'default' must be 'rsolv_platform_prod'")
    assert [message for message in failing.values() if "Unavailable: " not in message] == []


def test_openmetrics_of_django_health_check_have_the_labels_of_each_check(served: Server) -> None:
    text = served.get("/theirs/?format=openmetrics", host="example.com").body.decode()
    assert 'django_health_check_status{check="SecretKey",min_bytes="50"} 1' in text


@pytest.fixture
def get_health() -> GetHealth:
    """Declare services and return the status and the body of a response with details."""

    def get(services: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with override_settings(HEALTHGUARD={"SERVICES": services, "DETAILS_TOKENS": [TOKEN]}):
            response = respond(Request("GET", "", "", f"Bearer {TOKEN}"))
        return response.status, json.loads(response.body)

    return get


def test_healthguard_runs_checks_of_django_health_check(
    get_health: GetHealth, tmp_path: Path, connect: Connect, postgres: Postgres
) -> None:
    alias = connect(postgres.url)
    with override_settings(
        MEDIA_ROOT=str(tmp_path), CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    ):
        status, body = get_health(
            {
                "database": ("health_check.checks.Database", {"alias": alias}),
                "cache": "health_check.Cache",
                "storage": "health_check.checks.Storage",
                "mail": "health_check.checks.Mail",
            }
        )
    assert (status, body["status"]) == (200, "healthy"), body
    assert [body[name]["checks"][0]["check"] for name in ("database", "cache", "storage", "mail")] == [
        *("Database", "Cache", "Storage", "Mail"),
    ]


def test_dns_check_without_a_name_server_is_unhealthy(get_health: GetHealth) -> None:
    """The service is unhealthy, because no name server answers at this address."""
    check: tuple[str, dict[str, Any]] = (
        "health_check.checks.DNS",
        {"hostname": "example.invalid", "nameservers": ["127.0.0.1"]},
    )
    import datetime

    check[1]["timeout"] = datetime.timedelta(seconds=0.5)
    status, body = get_health({"dns": check})
    assert (status, body["dns"]["status"]) == (503, "unhealthy")


@pytest.mark.parametrize(
    ("check", "options"),
    [
        ("health_check.checks.Cache", {"alias": "no-such-cache"}),
        ("health_check.checks.Storage", {"alias": "no-such-storage"}),
    ],
)
def test_failing_checks_of_django_health_check_are_unavailable(
    get_health: GetHealth, check: str, options: dict[str, str]
) -> None:
    status, body = get_health({"one": (check, options)})
    assert status == 503
    (found,) = body["one"]["checks"]
    assert (found["code"], found["fault"]) == ("unavailable", "outage")
    assert "does not exist" in found["message"]


def test_database_check_of_django_health_check_gets_codes_of_healthguard(get_health: GetHealth) -> None:
    """An alias that does not exist is a mistake in the settings, even if the check is from another package."""
    status, body = get_health({"one": ("health_check.checks.Database", {"alias": "no-such-database"})})
    assert status == 503
    (found,) = body["one"]["checks"]
    assert (found["code"], found["fault"]) == ("unknown_alias", "config")


def test_checks_of_healthguard_are_dataclasses_with_a_repr_of_their_arguments() -> None:
    assert repr(DatabaseName("x")) == "DatabaseName(name='x', alias='default')"
    assert SecretKey(min_bytes=64) == SecretKey(min_bytes=64)
    assert RequiredTables(["a"]).labels["check"] == "RequiredTables"
