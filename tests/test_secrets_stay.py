"""Secrets appear in no response, log line or exception, even at DEBUG level and if every check fails."""

from __future__ import annotations

import json
import time

import pytest

from example_project.postgres import Postgres
from example_project.provider_simulator import Simulator
from tests.support.amounts import pairs
from tests.support.sites import SERVERS, Site

PLANTED = {
    "SECRET_KEY": "pl4nted-Key-Zq8vLr2mXw7pTn4",
    "ANTHROPIC_API_KEY": "sk-ant-api03-pl4ntedAnthropic8fJ2kQ91xZpL0vTqWm4RtYbN7hGs3dEa",
    "OPENAI_API_KEY": "sk-proj-pl4ntedOpenAI8fJ2kQ91xZpL0vTqWm4RtYbN7hGs3dEa",
    "DB_PASSWORD": "pl4nted-Database-Pass",
    "OTHER_SECRET": "pl4nted-0ther-Value-with-a-line-break\n",
    "DETAILS": "pl4nted-details-token-0123456789",
    "GATE_PASSWORD": "pl4nted-g4te-pass",
    "CUSTOMER_KEY": "pl4nted-customer-key-5Rt7",
    "QUERY_TOKEN": "pl4nted-query-token-9Xw2",
    "BODY_TOKEN": "pl4nted-body-token-3Kd8",
    "VENDED_KEY": "pl4nted-vended-example-key",
}
SETTINGS = """
DEBUG = os.environ.get("DEBUG") == "1"
def database(**keys):
    return {"ENGINE": "django.db.backends.postgresql", "USER": "app", "PASSWORD": os.environ["DB_PASSWORD"],
            "NAME": "pl4nted_wrong_name", "HOST": "127.0.0.1", "PORT": 1, **keys}
DATABASES["down"] = database()
import dj_database_url
DATABASES["refusing"] = {**dj_database_url.parse(os.environ["REFUSING_URL"]), "PASSWORD": os.environ["DB_PASSWORD"]}
DATABASES["odd"] = database(PORT="no-port-" + os.environ["DB_PASSWORD"])
HEALTHGUARD = {
    "SERVICES": {
        "secret": SecretKey(min_bytes=64),
        "environment": [EnvironmentVariable("OTHER_SECRET"), EnvironmentVariable("DB_PASSWORD", "never"),
                        EnvironmentVariable("DB_PASSWORD", min_bytes=500)],
        "ai": {name: Service(AIProviderKey(name), timeout=60) for name in ("anthropic", "openai")},
        "names": {alias: [DatabaseName("pl4nted_wrong_name", alias)] for alias in ("down", "refusing", "odd")},
        "tables": {alias: RequiredTables(["t"], alias) for alias in ("down", "refusing", "odd")},
        "columns": RequiredColumns("t", {"c": "text"}, "down"),
        "migrations": {alias: AppliedMigrations(alias) for alias in ("down", "refusing", "odd")},
        "endpoints": {
            name: HTTPEndpoint(
                url + "?token=" + os.environ["QUERY_TOKEN"], "POST", **expected,
                json={"token": os.environ["BODY_TOKEN"]},
                headers={"x-api-key": lambda: os.environ["CUSTOMER_KEY"], "x-other": os.environ["CUSTOMER_KEY"]},
            )
            for name, url, expected in (
                ("inside", "/echo", {"expect": {"body.token": "never"}}),
                ("refused", "/echo", {"expect_status": 418}),
                ("raising", "/raising", {}),
                ("nowhere", "http://gate:" + os.environ["GATE_PASSWORD"] + "@127.0.0.1:1/", {}),
                ("outside", os.environ["OUTSIDE_URL"], {"expect": {"data": "never"}}),
            )
        },
        "exchange": CredentialExchange("/echo", ["anthropic"], {"x-api-key": lambda: os.environ["CUSTOMER_KEY"]}),
        "theirs": {alias: ("health_check.checks.Database", {"alias": alias}) for alias in ("down", "refusing", "odd")},
        "careless": "careless.Careless",
        "furious": "careless.Furious",
        "constructed": "careless.Constructed",
    },
    "DETAILS_TOKENS": [os.environ["DETAILS"]],
    "DEADLINE": 5,
}
"""
CARELESS = """
import os
from health_check.base import HealthCheck
from health_check.exceptions import ServiceUnavailable
class Careless(HealthCheck):
    def run(self):
        raise ServiceUnavailable(f"cannot use {dict(os.environ)} and postgres://app:{os.environ['DB_PASSWORD']}@db/x")
class Furious(HealthCheck):
    def run(self):
        raise RuntimeError(f"cannot use {dict(os.environ)}")
class Constructed(HealthCheck):
    def __init__(self):
        raise SystemExit(os.environ["ANTHROPIC_API_KEY"])
    def run(self): ...
"""


URLS = """
import json, os
from django.http import JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
@csrf_exempt
def echo(request):
    sent = {"body": json.loads(request.body), "headers": dict(request.headers), "query": request.GET.urlencode()}
    return JsonResponse({**sent, "credentials": {"anthropic": {"api_key": os.environ["VENDED_KEY"]}}})
@csrf_exempt
def raising(request):
    raise RuntimeError("careful")
urlpatterns = [path("api/health", include("healthguard.urls")), path("echo", echo), path("raising", raising)]
"""


@pytest.mark.parametrize(("kind", "debug"), pairs(SERVERS, ["0", "1"]))
def test_planted_secrets_appear_nowhere(site: Site, postgres: Postgres, kind: str, debug: str) -> None:
    simulator = Simulator().start()
    root = f"http://gate:{PLANTED['GATE_PASSWORD']}@127.0.0.1:{simulator.server_port}"
    site.environment = {
        **PLANTED,
        "DEBUG": debug,
        "LOG_LEVEL": "DEBUG",
        "PYTHONASYNCIODEBUG": "1",
        "REFUSING_URL": postgres.url_as("nobody_of_this_name", "pl4nted_wrong_name"),
        "ANTHROPIC_BASE_URL": f"{root}/anthropic",
        "OPENAI_BASE_URL": f"{root}/openai/v1",
        "OUTSIDE_URL": f"{root}/openai/v1/models",
    }
    server = site.write(SETTINGS, URLS, adaptor="middleware", careless=CARELESS).serve(kind, "--log-level", "debug")
    token = {"Authorization": f"Bearer {PLANTED['DETAILS']}"}
    ends = time.monotonic() + 60
    while b'"code": "pending"' in (reply := server.get("/api/health", headers=token, timeout=60)).body:
        assert time.monotonic() < ends
    assert reply.status == 503
    assert {name: _common_status(state) for name, state in reply.json["services"].items()} == dict.fromkeys(
        reply.json["services"], "unhealthy"
    )
    answers = [reply.body.decode()]
    answers += [
        server.get(path, headers=headers).body.decode()
        for headers in ({}, token, {"Authorization": "Bearer x"})
        for path in ("/api/health/ready", "/api/health/ai", "/api/health/nope", "/api/health?fresh=1")
    ]
    # Log lines may be written shortly after the responses.
    server.until_logged(" -> unhealthy")
    server.stop()
    simulator.stop()
    everything = "\n".join([*answers, server.log])
    assert "LOG DEBUG" in server.log
    for name, secret in PLANTED.items():
        assert secret.strip() not in everything, f"{name} leaked"
        assert json.dumps(secret)[1:-1] not in everything, f"{name} leaked"


def _common_status(state: object) -> object:
    """Return the status of a service, or of a group whose services all have the same; otherwise the set of them."""
    if not isinstance(state, dict):
        return state
    states = {_common_status(inner) for inner in state.values()}
    return states.pop() if len(states) == 1 else states
