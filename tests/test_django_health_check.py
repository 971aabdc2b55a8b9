"""Our checks work unchanged in django-health-check's view, and its checks in ours."""

from __future__ import annotations

import json
import os
import time

import pytest
from django.test import override_settings

from healthguard.checks import DatabaseName, RequiredTables, SecretKey
from healthguard.respond import Request, respond
from tests.sites import Server, Site

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
def served(tmp_path_factory, postgres) -> Server:
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
def test_our_checks_in_its_view(served, postgres, format) -> None:
    reply = served.get(f"/theirs/{'' if format == 'html' else f'?format={format}'}", host="example.com")
    text = reply.body.decode()
    assert reply.status == (200 if format in ("openmetrics", "atom", "rss") else 500)
    assert "mock-key" not in text + served.log
    assert "pl4nted" not in text + served.log
    assert "SecretKey" in text
    if format == "json":
        assert len(reply.json) == len(OURS)
        assert reply.json["SecretKey(min_bytes=50)"] == "OK"
        assert reply.json["AppliedMigrations(alias='default')"] == "OK"
        assert reply.json["HTTPEndpoint('/tables/')"] == "OK"
        failing = {name.partition("(")[0]: message for name, message in reply.json.items() if message != "OK"}
        assert set(failing) == {
            *("EnvironmentVariable", "DatabaseName", "RequiredTables", "RequiredColumns", "AIProviderKey"),
            "CredentialExchange",
        }
        assert failing["DatabaseName"].startswith("Unavailable: Database 'default' must be 'rsolv_platform_prod'")
        assert all("Unavailable: " in message for message in failing.values())
    if format == "openmetrics":
        assert 'django_health_check_status{check="SecretKey",min_bytes="50"} 1' in text
    count = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{DATABASE}'"
    ends = time.monotonic() + 60
    while postgres.execute(count) != [(0,)]:
        # The server takes a moment to see that somebody has gone.
        assert time.monotonic() < ends, "a connection of ours is left open in its threads"
        time.sleep(0.05)


@pytest.fixture
def ask():
    def ask(services):
        with override_settings(HEALTHGUARD={"SERVICES": services, "DETAILS_TOKENS": [TOKEN]}):
            answer = respond(Request("GET", "", "", f"Bearer {TOKEN}"))
        return answer.status, json.loads(answer.body)

    return ask


def test_its_checks_in_ours(ask, tmp_path, connect, postgres) -> None:
    alias = connect(postgres.url)
    with override_settings(
        MEDIA_ROOT=str(tmp_path), CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    ):
        status, body = ask(
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


def test_its_dns_check_in_ours(ask) -> None:
    """There is no name server here that answers: it is told as the outage that it is."""
    check = ("health_check.checks.DNS", {"hostname": "example.invalid", "nameservers": ["127.0.0.1"]})
    import datetime

    check[1]["timeout"] = datetime.timedelta(seconds=0.5)
    status, body = ask({"dns": check})
    assert (status, body["dns"]["status"]) == (503, "unhealthy")


@pytest.mark.parametrize(
    ("check", "options"),
    [
        ("health_check.checks.Cache", {"alias": "no-such-cache"}),
        ("health_check.checks.Storage", {"alias": "no-such-storage"}),
    ],
)
def test_its_checks_fail_in_ours_as_in_its_own(ask, check, options) -> None:
    status, body = ask({"one": (check, options)})
    assert status == 503
    (told,) = body["one"]["checks"]
    assert (told["code"], told["fault"]) == ("unavailable", "outage")
    assert "does not exist" in told["message"]


def test_its_database_check_has_the_causes_of_ours(ask) -> None:
    """An alias that does not exist is a mistake in the settings, whoever wrote the check."""
    status, body = ask({"one": ("health_check.checks.Database", {"alias": "no-such-database"})})
    assert status == 503
    (told,) = body["one"]["checks"]
    assert (told["code"], told["fault"]) == ("unknown_alias", "config")


def test_ours_are_dataclasses_whose_repr_tells_what_they_check() -> None:
    assert repr(DatabaseName("x")) == "DatabaseName(name='x', alias='default')"
    assert SecretKey(min_bytes=64) == SecretKey(min_bytes=64)
    assert RequiredTables(["a"]).labels["check"] == "RequiredTables"
