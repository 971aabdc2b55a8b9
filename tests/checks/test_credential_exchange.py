"""CredentialExchange: the responses of an exchange, and the problems of the keys in them."""

from __future__ import annotations

import base64
import datetime
import json
import zoneinfo
from collections.abc import Callable
from typing import Any

import pytest
from django.test import override_settings
from pytest_httpserver import HTTPServer

from healthguard.checks import CredentialExchange
from healthguard.http_client import Headers
from healthguard.status import Fault, Status
from tests.support.ai_keys import KEYS, VARIABLES
from tests.support.credential_exchange import BOTH, PATH, Vend, credentials, vend_in_process
from tests.support.fixture_types import FindProblem, RunCheck
from tests.support.results import problem_of

pytestmark = pytest.mark.usefixtures("exchange_environment")

NOW = datetime.datetime.now(datetime.UTC)
HOURS = datetime.timedelta(hours=4)
"""More than all tests take after the import of this file, and less than the difference of the zones below."""
CHICAGO = zoneinfo.ZoneInfo("America/Chicago")


def test_real_keys_are_healthy(result: RunCheck, vend: Vend) -> None:
    content = credentials(**KEYS)
    content["credentials"]["anthropic"]["expires_at"] = (NOW + HOURS).isoformat()
    url = vend(content)
    outcome = result(CredentialExchange(url, BOTH))
    assert outcome.problem is None
    assert outcome.evidence == {"endpoint": f"POST {url}", "http_status": 200, "vended": BOTH}


def test_request_is_that_of_a_customer(result: RunCheck, httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_json(credentials(**KEYS))
    headers: Headers = {"x-api-key": lambda: "customer"}
    assert result(CredentialExchange(httpserver.url_for(PATH), BOTH, headers, ttl_minutes=5)).problem is None
    ((request, _),) = httpserver.log
    assert (request.method, request.get_json()) == ("POST", {"providers": BOTH, "ttl_minutes": 5})
    assert request.headers["x-api-key"] == "customer"


@pytest.mark.parametrize("name", BOTH)
def test_mock_is_reported_with_the_variable_to_check(problem: FindProblem, vend: Vend, name: str) -> None:
    found = problem(CredentialExchange(vend(credentials(**{name: f"mock-{name}-key"})), [name]))
    assert (found.code, found.fault) == ("key_placeholder", Fault.CONFIG)
    address = str(found.evidence["endpoint"]).removeprefix("POST ")
    assert f"POST {address} vends for {name} is a mock" in found.message
    assert found.hint.startswith(f"Check that {VARIABLES[name]} is mounted into ")
    assert "env or envFrom" in found.hint
    assert found.evidence["provider"] == name


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
        ({"api_key": "{key}", "expires_at": (NOW - HOURS).isoformat()}, "credential_expired"),
        ({"api_key": "{key}", "expires_at": (NOW - HOURS).replace(tzinfo=None).isoformat()}, "credential_expired"),
        ({"api_key": "{key}", "expires_at": "2025-09-17T10:00:00Z"}, "credential_expired"),
        ({"api_key": "{key}", "expires_at": "0001-01-01T00:00:00+23:59"}, "credential_expired"),
        ({"api_key": "{key}", "expires_at": f"{NOW - 12 * HOURS:%Y-%m-%d}"}, "credential_expired"),
        ({"api_key": "{key}", "expires_at": "s3cret soon"}, "credential_expiry_unreadable"),
        ({"api_key": "{key}", "expires_at": 1758103200}, "credential_expiry_unreadable"),
        ({"api_key": "{key}", "expires_at": ""}, "credential_expiry_unreadable"),
    ],
)
@pytest.mark.parametrize("name", BOTH)
def test_unusable_credential_is_unhealthy(result: RunCheck, vend: Vend, name: str, entry: object, code: str) -> None:
    key, other = KEYS[name], next(key for owner, key in KEYS.items() if owner != name)
    text = json.dumps(entry).replace("{key}", key).replace("{other}", other)
    text = text.replace("{base64}", base64.b64encode(key.encode()).decode())
    outcome = result(CredentialExchange(vend({"credentials": {name: json.loads(text)}}), [name]))
    found = problem_of(outcome)
    assert outcome.status is Status.UNHEALTHY
    assert (found.code, found.fault) == (code, Fault.CONFIG)
    assert PATH in found.message
    for secret in (key, other, "s3cret"):
        assert secret not in repr(outcome)


@pytest.mark.parametrize(
    "expires_at",
    [
        None,
        (NOW + HOURS).isoformat(),
        (NOW + HOURS).strftime("%Y-%m-%dT%H:%M:%SZ"),
        (NOW + HOURS).replace(tzinfo=None).isoformat(),
        (NOW + HOURS).astimezone(datetime.timezone(datetime.timedelta(hours=-8))).isoformat(),
    ],
    ids=["absent", "offset", "zulu", "naive", "west"],
)
def test_expiry_in_the_future_is_healthy(result: RunCheck, vend: Vend, expires_at: str | None) -> None:
    entry = {"api_key": KEYS["openai"], "expires_at": expires_at}
    assert result(CredentialExchange(vend({"credentials": {"openai": entry}}), ["openai"])).problem is None


def test_date_is_the_end_of_its_day(problem: FindProblem, vend: Vend) -> None:
    entry = {"api_key": KEYS["openai"], "expires_at": "2024-02-29"}
    found = problem(CredentialExchange(vend({"credentials": {"openai": entry}}), ["openai"]))
    assert found.message.endswith("that expired at 2024-02-29 23:59 UTC.")


def test_provider_without_a_key_is_reported(problem: FindProblem, vend: Vend) -> None:
    found = problem(CredentialExchange(vend(credentials(anthropic=KEYS["anthropic"])), BOTH))
    assert found.code == "key_missing"
    assert found.message.endswith("vends nothing for openai.")
    assert "OPENAI_API_KEY" in found.hint


def test_unusual_format_is_degraded(result: RunCheck, vend: Vend) -> None:
    outcome = result(CredentialExchange(vend(credentials(anthropic=KEYS["anthropic"][:-9])), ["anthropic"]))
    assert (outcome.status, problem_of(outcome).code) == (Status.DEGRADED, "key_format")


def test_worst_problem_is_reported_with_the_codes_of_all(result: RunCheck, vend: Vend) -> None:
    outcome = result(CredentialExchange(vend(credentials(anthropic=KEYS["anthropic"][:-9], openai="mock")), BOTH))
    found = problem_of(outcome)
    assert (outcome.status, found.code) == (Status.UNHEALTHY, "key_placeholder")
    assert found.evidence["provider"] == "openai"
    assert found.evidence["problems"] == {"anthropic": "key_format", "openai": "key_placeholder"}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ([], "missing"),
        ({}, "missing"),
        ({"credentials": None}, "null"),
        ({"credentials": [KEYS["openai"]]}, "a list"),
        ({"credentials": KEYS["openai"]}, "a string"),
        (KEYS["openai"], "missing"),
    ],
    ids=["list", "object", "null", "keys", "key", "bare"],
)
def test_response_of_another_structure_is_a_mismatch(
    problem: FindProblem, vend: Vend, answer: object, kind: str
) -> None:
    found = problem(CredentialExchange(vend(answer), ["openai"]))
    assert (found.code, found.fault) == ("endpoint_mismatch", Fault.CONFIG)
    assert found.evidence["mismatches"] == {"credentials": kind}
    assert KEYS["openai"] not in repr(found)


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
def test_response_without_credentials_is_reported(
    problem: FindProblem, httpserver: HTTPServer, status: int, body: bytes, code: str, fault: Fault
) -> None:
    httpserver.expect_request(PATH).respond_with_data(body, status)
    found = problem(CredentialExchange(httpserver.url_for(PATH), BOTH))
    assert (found.code, found.fault) == (code, fault)
    assert "s3cret" not in repr(found)


def test_refused_connection_is_an_outage(problem: FindProblem) -> None:
    found = problem(CredentialExchange(f"http://127.0.0.1:1{PATH}", BOTH))
    assert (found.code, found.fault) == ("endpoint_unreachable", Fault.OUTAGE)


# The declaration.


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
def test_invalid_option_is_reported(problem: FindProblem, options: dict[str, Any]) -> None:
    check = CredentialExchange(**{"url": PATH, "providers": BOTH, **options})
    found = problem(check)
    assert (found.code, found.fault) == ("invalid_declaration", Fault.CONFIG)
    assert KEYS["openai"] not in repr(found) + repr(check)


def test_unknown_provider_is_reported_with_the_nearest_name(problem: FindProblem) -> None:
    found = problem(CredentialExchange(PATH, ["antropic"]))
    assert "'antropic'" in found.message
    assert "'anthropic'" in found.hint


# Other forms of the response, and of the expiry time.


def test_plain_key_and_status_201_are_healthy(result: RunCheck, httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_json({"credentials": KEYS}, 201)
    assert result(CredentialExchange(httpserver.url_for(PATH), BOTH)).status is Status.HEALTHY


@pytest.mark.parametrize(
    ("expires_at", "settings", "code"),
    [
        # The form of a time in a project with USE_TZ=False.
        (lambda: (NOW + HOURS).astimezone(CHICAGO).replace(tzinfo=None).isoformat(), {"USE_TZ": False}, None),
        (
            lambda: (NOW - HOURS).astimezone(CHICAGO).replace(tzinfo=None).isoformat(),
            {"USE_TZ": False},
            "credential_expired",
        ),
        (lambda: (NOW + HOURS).replace(tzinfo=None).isoformat(), {"USE_TZ": True}, None),
        (lambda: f"{NOW + 12 * HOURS:%Y%m%d}", {}, None),
        (lambda: "9999-12-31T23:59:59-14:00", {}, None),
        (lambda: "9999-12-31", {}, None),
        (lambda: "2099-01-31t12:00:00z", {}, None),
        (lambda: 20990131, {}, "credential_expiry_unreadable"),
    ],
)
def test_ambiguous_expiry_time_is_read(
    result: RunCheck,
    monkeypatch: pytest.MonkeyPatch,
    expires_at: Callable[[], object],
    settings: dict[str, Any],
    code: str | None,
) -> None:
    """A time without a zone is in TIME_ZONE if USE_TZ is False."""
    content = {"credentials": {"anthropic": {"api_key": KEYS["anthropic"], "expires_at": expires_at()}}}
    path = vend_in_process(monkeypatch, content)
    with override_settings(TIME_ZONE="America/Chicago", **settings):
        outcome = result(CredentialExchange(path, ["anthropic"]))
    assert (outcome.problem and outcome.problem.code) == code
