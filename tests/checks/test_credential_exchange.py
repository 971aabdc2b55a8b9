"""Credential exchanges: every answer that one can give, and that none of what it vends is told on."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import json
import logging
import os
import zoneinfo

import pytest
from django.http import JsonResponse
from django.test import override_settings
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from pytest_httpserver import HTTPServer

from example_project.deployment import anthropic_key, openai_key
from healthguard.checks import CredentialExchange
from healthguard.providers import PROVIDERS, Provider
from healthguard.status import Fault, Status
from tests.keys import MOCKS

KEYS = {"anthropic": anthropic_key(), "openai": openai_key()}
VARIABLES = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
PATH = "/api/v1/credentials/exchange"
BOTH = ["anthropic", "openai"]
NOW = datetime.datetime.now(datetime.UTC)
HOUR = datetime.timedelta(hours=1)
CHICAGO = zoneinfo.ZoneInfo("America/Chicago")

vended: object = None


@csrf_exempt
def exchange(request):
    return JsonResponse(vended, safe=False)


urlpatterns = [path(PATH[1:], exchange)]


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    for name in ("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with override_settings(ROOT_URLCONF=__name__):
        yield


@pytest.fixture(params=["inside", "network"])
def vending(request, httpserver: HTTPServer, monkeypatch):
    """Let the exchange answer this, in this process or on a server; where it is."""

    def vend(answer: object) -> str:
        if request.param == "inside":
            monkeypatch.setitem(globals(), "vended", answer)
            return PATH
        httpserver.expect_request(PATH).respond_with_json(answer)
        return httpserver.url_for(PATH)

    return vend


def credentials(**keys: object) -> dict[str, object]:
    return {"credentials": {name: {"api_key": key} for name, key in keys.items()}}


def test_an_exchange_that_vends_real_keys(result, vending) -> None:
    answer = credentials(**KEYS)
    answer["credentials"]["anthropic"]["expires_at"] = (NOW + HOUR).isoformat()
    url = vending(answer)
    told = result(CredentialExchange(url, BOTH))
    assert told.problem is None
    assert told.evidence == {"endpoint": f"POST {url}", "http_status": 200, "vended": BOTH}


def test_what_it_is_asked(result, httpserver) -> None:
    httpserver.expect_request(PATH).respond_with_json(credentials(**KEYS))
    headers = {"x-api-key": lambda: "customer"}
    assert result(CredentialExchange(httpserver.url_for(PATH), BOTH, headers, ttl_minutes=5)).problem is None
    ((request, _),) = httpserver.log
    assert (request.method, request.get_json()) == ("POST", {"providers": BOTH, "ttl_minutes": 5})
    assert request.headers["x-api-key"] == "customer"


@pytest.mark.parametrize("name", BOTH)
def test_a_mock_is_told_with_what_to_look_at(problem, vending, name) -> None:
    told = problem(CredentialExchange(vending(credentials(**{name: f"mock-{name}-key"})), [name]))
    assert (told.code, told.fault) == ("key_placeholder", Fault.CONFIG)
    assert f"POST {told.evidence['endpoint'].removeprefix('POST ')} vends for {name} is a mock" in told.message
    assert told.hint.startswith(f"Look whether {VARIABLES[name]} is mounted into ")
    assert "env or envFrom" in told.hint
    assert told.evidence["provider"] == name


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (None, "key_missing"),
        ({}, "key_missing"),
        ({"api_key": None}, "key_missing"),
        ({"api_key": ""}, "key_empty"),
        ({"api_key": "your-api-key"}, "key_placeholder"),
        ({"api_key": "sk-xxxxxxxxxxxxxxxx"}, "key_placeholder"),
        ({"api_key": "{key}\n"}, "key_corrupted"),
        ({"api_key": '"{key}"'}, "key_corrupted"),
        ({"api_key": "Bearer {key}"}, "key_corrupted"),
        ({"api_key": "{base64}"}, "key_corrupted"),
        ({"api_key": "{other}"}, "key_wrong_provider"),
        ({"api_key": 5}, "endpoint_mismatch"),
        ({"api_key": ["{key}"]}, "endpoint_mismatch"),
        (["{key}"], "endpoint_mismatch"),
        ({"apiKey": "{key}"}, "endpoint_mismatch"),
        ("mock", "key_placeholder"),
        ({"api_key": "{key}", "expires_at": (NOW - HOUR).isoformat()}, "credential_expired"),
        ({"api_key": "{key}", "expires_at": (NOW - HOUR).replace(tzinfo=None).isoformat()}, "credential_expired"),
        ({"api_key": "{key}", "expires_at": "2025-09-17T10:00:00Z"}, "credential_expired"),
        ({"api_key": "{key}", "expires_at": "0001-01-01T00:00:00+23:59"}, "credential_expired"),
        ({"api_key": "{key}", "expires_at": f"{NOW - 49 * HOUR:%Y-%m-%d}"}, "credential_expired"),
        ({"api_key": "{key}", "expires_at": "s3cret soon"}, "credential_expiry_unreadable"),
        ({"api_key": "{key}", "expires_at": 1758103200}, "credential_expiry_unreadable"),
        ({"api_key": "{key}", "expires_at": ""}, "credential_expiry_unreadable"),
    ],
)
@pytest.mark.parametrize("name", BOTH)
def test_what_can_be_wrong_with_what_is_vended(result, vending, name, entry, code) -> None:
    key, other = KEYS[name], next(key for owner, key in KEYS.items() if owner != name)
    text = json.dumps(entry).replace("{key}", key).replace("{other}", other)
    text = text.replace("{base64}", base64.b64encode(key.encode()).decode())
    told = result(CredentialExchange(vending({"credentials": {name: json.loads(text)}}), [name]))
    assert told.status is Status.UNHEALTHY
    assert (told.problem.code, told.problem.fault) == (code, Fault.CONFIG)
    assert PATH in told.problem.message
    for secret in (key, other, "s3cret"):
        assert secret not in repr(told)


@pytest.mark.parametrize(
    "expires_at",
    [
        None,
        (NOW + HOUR).isoformat(),
        (NOW + HOUR).strftime("%Y-%m-%dT%H:%M:%SZ"),
        (NOW + HOUR).replace(tzinfo=None).isoformat(),
        (NOW + HOUR).astimezone(datetime.timezone(datetime.timedelta(hours=-8))).isoformat(),
    ],
    ids=["absent", "offset", "zulu", "naive", "west"],
)
def test_a_time_that_is_still_to_come(result, vending, expires_at) -> None:
    entry = {"api_key": KEYS["openai"], "expires_at": expires_at}
    assert result(CredentialExchange(vending({"credentials": {"openai": entry}}), ["openai"])).problem is None


def test_a_provider_that_was_left_out(problem, vending) -> None:
    told = problem(CredentialExchange(vending(credentials(anthropic=KEYS["anthropic"])), BOTH))
    assert told.code == "key_missing"
    assert told.message.endswith("vends nothing for openai.")
    assert "OPENAI_API_KEY" in told.hint


def test_an_unusual_form_is_only_degraded(result, vending) -> None:
    told = result(CredentialExchange(vending(credentials(anthropic=KEYS["anthropic"][:-9])), ["anthropic"]))
    assert (told.status, told.problem.code) == (Status.DEGRADED, "key_format")


def test_of_several_the_worst_is_told_and_the_others_named(result, vending) -> None:
    told = result(CredentialExchange(vending(credentials(anthropic=KEYS["anthropic"][:-9], openai="mock")), BOTH))
    assert (told.status, told.problem.code) == (Status.UNHEALTHY, "key_placeholder")
    assert told.problem.evidence["provider"] == "openai"
    assert told.problem.evidence["problems"] == {"anthropic": "key_format", "openai": "key_placeholder"}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ([], "missing"),
        ({}, "missing"),
        ({"credentials": None}, "null"),
        ({"credentials": [KEYS["openai"]]}, "a list"),
        ({"credentials": KEYS["openai"]}, "a text"),
        (KEYS["openai"], "missing"),
    ],
    ids=["list", "object", "null", "keys", "key", "bare"],
)
def test_an_answer_of_another_form(problem, vending, answer, kind) -> None:
    told = problem(CredentialExchange(vending(answer), ["openai"]))
    assert (told.code, told.fault) == ("endpoint_mismatch", Fault.CONFIG)
    assert told.evidence["mismatches"] == {"credentials": kind}
    assert KEYS["openai"] not in repr(told)


@pytest.mark.parametrize(
    ("status", "body", "code", "fault"),
    [
        (401, b'{"error": "s3cret"}', "endpoint_status", Fault.CONFIG),
        (403, b"", "endpoint_status", Fault.CONFIG),
        (404, b"", "endpoint_status", Fault.CONFIG),
        (302, b"", "endpoint_status", Fault.CONFIG),
        (202, json.dumps(credentials(**KEYS)).encode(), "endpoint_status", Fault.CONFIG),
        (429, b"", "endpoint_status", Fault.OUTAGE),
        (500, b"s3cret", "endpoint_status", Fault.OUTAGE),
        (200, b"<html>s3cret", "endpoint_not_json", Fault.CONFIG),
        (200, b"", "endpoint_not_json", Fault.CONFIG),
    ],
)
def test_an_exchange_in_trouble(problem, httpserver, status, body, code, fault) -> None:
    httpserver.expect_request(PATH).respond_with_data(body, status)
    told = problem(CredentialExchange(httpserver.url_for(PATH), BOTH))
    assert (told.code, told.fault) == (code, fault)
    assert "s3cret" not in repr(told)


def test_an_exchange_that_is_not_there(problem) -> None:
    told = problem(CredentialExchange(f"http://127.0.0.1:1{PATH}", BOTH))
    assert (told.code, told.fault) == ("endpoint_unreachable", Fault.OUTAGE)


# The provider's own word.


def test_real_keys_that_the_providers_take(result, vending, provider) -> None:
    provider.keys = set(KEYS.values())
    assert result(CredentialExchange(vending(credentials(**KEYS)), BOTH, verify=True)).problem is None
    assert provider.received.count(KEYS["anthropic"]) == provider.received.count(KEYS["openai"]) == 1


def test_a_key_that_its_provider_rejects(problem, vending, provider) -> None:
    provider.keys = {KEYS["anthropic"]}
    told = problem(CredentialExchange(vending(credentials(**KEYS)), BOTH, verify=True))
    assert (told.code, told.fault) == ("key_rejected", Fault.CONFIG)
    assert f"{PATH} vends for openai" in told.message
    assert told.evidence["verdict"] == "rejected"
    assert KEYS["openai"] not in repr(told)


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("500", "provider_down"),
        ("429", "provider_rate_limited"),
        ("garbage", "provider_unclear"),
        ("no-funds", "key_no_funds"),
    ],
)
def test_a_provider_in_trouble_is_only_degraded(result, vending, provider, mode, code) -> None:
    provider.keys, provider.mode = set(KEYS.values()), mode
    told = result(CredentialExchange(vending(credentials(**KEYS)), ["anthropic"], verify=True))
    assert (told.status, told.problem.code) == (Status.DEGRADED, code)


def test_a_mock_is_told_though_the_environment_names_a_gateway(problem, vending, provider) -> None:
    """What this process asks is no matter of the customers', who have the key alone."""
    provider.keys = {"mock-anthropic-key"}
    told = problem(CredentialExchange(vending(credentials(anthropic="mock-anthropic-key")), ["anthropic"], verify=True))
    assert told.code == "key_placeholder"
    assert provider.asked == 0


def test_a_provider_of_ones_own(result, vending) -> None:
    gateway = Provider(name="gateway", base_url="https://llm.internal/v1", is_gateway=True)
    google = dataclasses.replace(PROVIDERS["gemini"], name="google")
    url = vending(credentials(gateway="test", google="mock"))
    assert result(CredentialExchange(url, [gateway])).problem is None
    assert "GOOGLE_API_KEY" in result(CredentialExchange(url, [google])).problem.hint


def test_a_provider_whose_address_is_not_known(problem, vending, monkeypatch) -> None:
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT", raising=False)
    url = vending(credentials(azure_openai="8fJ2kQ91xZpL0vTqWm4RtYbN7hGs3dEa"))
    told = problem(CredentialExchange(url, ["azure_openai"], verify=True))
    assert (told.code, told.fault) == ("base_url_missing", Fault.CONFIG)
    assert "AZURE_OPENAI_ENDPOINT" in told.hint


# Secrets and declarations.


def test_no_vended_key_leaves(result, vending, provider, caplog) -> None:
    for keys in (KEYS, {"anthropic": KEYS["openai"], "openai": KEYS["anthropic"]}):
        check = CredentialExchange(vending(credentials(**keys)), BOTH, {"x-api-key": lambda: "s3cret"}, verify=True)
        with caplog.at_level(logging.DEBUG):
            told = result(check)
        assert told.problem is not None
        everything = repr(told) + repr(check) + str(check.labels) + caplog.text
        for secret in (*KEYS.values(), "s3cret"):
            assert secret not in everything


@pytest.mark.parametrize(
    "options",
    [
        *({"url": url} for url in ("", "exchange", None)),
        *(
            {"providers": value}
            for value in ("anthropic", [], None, ["antropic"], [5], [KEYS["openai"]], {"anthropic": 1})
        ),
        {"headers": ["x-api-key"]},
        {"verify": "no"},
        *({"ttl_minutes": value} for value in (0, -1, 1.5, "60", True, None)),
    ],
)
def test_what_cannot_be_meant(problem, options) -> None:
    check = CredentialExchange(**{"url": PATH, "providers": BOTH, **options})
    told = problem(check)
    assert (told.code, told.fault) == ("misdeclared", Fault.CONFIG)
    assert KEYS["openai"] not in repr(told) + repr(check)


def test_an_unknown_provider_is_told_with_the_one_that_was_meant(problem) -> None:
    told = problem(CredentialExchange(PATH, ["antropic"]))
    assert "'antropic'" in told.message
    assert "'anthropic'" in told.hint


# Other forms of the answer, and of the time.


def test_a_key_alone_and_a_201_will_do(result, httpserver) -> None:
    httpserver.expect_request(PATH).respond_with_json({"credentials": KEYS}, 201)
    assert result(CredentialExchange(httpserver.url_for(PATH), BOTH)).status is Status.HEALTHY


@pytest.mark.parametrize(
    ("expires_at", "settings", "code"),
    [
        # As Django writes a time in a project with USE_TZ=False.
        (lambda: (NOW + HOUR).astimezone(CHICAGO).replace(tzinfo=None).isoformat(), {"USE_TZ": False}, None),
        (
            lambda: (NOW - HOUR).astimezone(CHICAGO).replace(tzinfo=None).isoformat(),
            {"USE_TZ": False},
            "credential_expired",
        ),
        (lambda: (NOW + HOUR).replace(tzinfo=None).isoformat(), {"USE_TZ": True}, None),
        (lambda: f"{NOW:%Y-%m-%d}", {}, None),
        (lambda: f"{NOW + 48 * HOUR:%Y%m%d}", {}, None),
        (lambda: "9999-12-31T23:59:59-14:00", {}, None),
        (lambda: "9999-12-31", {}, None),
        (lambda: "2099-01-31t12:00:00z", {}, None),
        (lambda: 20990131, {}, "credential_expiry_unreadable"),
    ],
)
def test_a_time_that_can_be_read_in_two_ways(result, monkeypatch, expires_at, settings, code) -> None:
    answer = {"credentials": {"anthropic": {"api_key": KEYS["anthropic"], "expires_at": expires_at()}}}
    monkeypatch.setitem(globals(), "vended", answer)
    with override_settings(TIME_ZONE="America/Chicago", **settings):
        told = result(CredentialExchange(PATH, ["anthropic"]))
    assert (told.problem and told.problem.code) == code


# Mocks, and what the environment has to do with them.


@pytest.mark.parametrize("mock", MOCKS)
@pytest.mark.parametrize("has_gateway", [False, True])
def test_a_long_mock_is_a_mock(problem, vending, monkeypatch, mock, has_gateway) -> None:
    if has_gateway:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    told = problem(CredentialExchange(vending(credentials(anthropic=mock)), ["anthropic"]))
    assert told.code == "key_placeholder"
    assert told.hint.startswith("Look whether ANTHROPIC_API_KEY is mounted")


def test_an_unusual_form_is_told_though_the_environment_names_a_gateway(result, vending, monkeypatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    told = result(CredentialExchange(vending(credentials(anthropic="dev-anthropic-7f3a")), ["anthropic"]))
    assert (told.status, told.problem.code) == (Status.DEGRADED, "key_format")


@pytest.mark.parametrize("is_the_provider", [True, False])
def test_what_a_gateway_says_of_a_key_is_no_matter_of_the_customers(result, vending, provider, is_the_provider) -> None:
    provider.keys = set()
    anthropic = PROVIDERS["anthropic"]
    if is_the_provider:
        anthropic = dataclasses.replace(anthropic, base_url=os.environ.pop("ANTHROPIC_BASE_URL"))
    told = result(CredentialExchange(vending(credentials(**KEYS)), [anthropic], verify=True))
    assert told.problem.code == "key_rejected"
    assert told.status is (Status.UNHEALTHY if is_the_provider else Status.DEGRADED)
    assert ("ANTHROPIC_BASE_URL" in told.problem.hint) is not is_the_provider
