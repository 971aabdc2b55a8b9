"""AI keys: every way in which one can be wrong, against a server that answers as the providers do."""

from __future__ import annotations

import base64
import json
import logging

import pytest
from django.test import override_settings
from pytest_httpserver import HTTPServer
from werkzeug import Response

from example_project.deployment import anthropic_key, openai_key
from healthguard.checks import AIProviderKey
from healthguard.status import Fault, Status

KEYS = {"anthropic": anthropic_key(), "openai": openai_key()}
VARIABLES = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
BASES = {"anthropic": "ANTHROPIC_BASE_URL", "openai": "OPENAI_BASE_URL"}
PATHS = {"anthropic": "/v1/models", "openai": "/models"}


@pytest.fixture(autouse=True)
def _clean(monkeypatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY", "OPENAI_ADMIN_KEY", *BASES.values()):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture(params=["anthropic", "openai"])
def name(request, monkeypatch) -> str:
    monkeypatch.setenv(VARIABLES[request.param], KEYS[request.param])
    return request.param


@pytest.fixture
def answering(httpserver: HTTPServer, monkeypatch, name):
    """Let the provider answer every request this way."""

    def answer(status: int, body: object = b"", headers: dict[str, str] | None = None) -> HTTPServer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        httpserver.expect_request(PATHS[name]).respond_with_data(
            content, status, {"Content-Type": "application/json", **(headers or {})}
        )
        monkeypatch.setenv(BASES[name], httpserver.url_for("").rstrip("/"))
        return httpserver

    return answer


def test_a_real_key_is_silent_and_tells_its_fingerprint(result, name, provider) -> None:
    provider.keys = set(KEYS.values())
    told = result(AIProviderKey(name))
    assert told.status is Status.HEALTHY, told.problem
    assert told.evidence["verdict"] == "real"
    assert len(str(told.evidence["fingerprint"])) == 8
    assert KEYS[name] not in repr(told)


def test_a_key_that_is_not_mounted(problem, name, monkeypatch) -> None:
    monkeypatch.delenv(VARIABLES[name])
    told = problem(AIProviderKey(name))
    assert (told.code, told.fault) == ("key_missing", Fault.CONFIG)
    assert VARIABLES[name] in told.message


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "key_empty"),
        ("mock-anthropic-key", "key_placeholder"),
        ("sk-ant-mock-key", "key_placeholder"),
        ("your-api-key", "key_placeholder"),
        ("sk-xxxxxxxxxxxxxxxx", "key_placeholder"),
        ("{key}\n", "key_corrupted"),
        ('"{key}"', "key_corrupted"),
        ("Bearer {key}", "key_corrupted"),
        ("$(KEY)", "key_corrupted"),
        ("{base64}", "key_corrupted"),
        ("{other}", "key_wrong_provider"),
    ],
)
def test_a_key_that_cannot_be_one_is_told_without_asking(problem, name, monkeypatch, value, code) -> None:
    """No provider is there to be asked: it must be told from the value alone."""
    other = next(key for owner, key in KEYS.items() if owner != name)
    key = KEYS[name]
    encoded = base64.b64encode(key.encode()).decode()
    monkeypatch.setenv(
        VARIABLES[name], value.replace("{key}", key).replace("{base64}", encoded).replace("{other}", other)
    )
    told = problem(AIProviderKey(name))
    assert (told.code, told.fault) == (code, Fault.CONFIG)
    assert key not in repr(told)
    assert other not in repr(told)


def test_a_rejected_key(problem, name, provider) -> None:
    told = problem(AIProviderKey(name))
    assert (told.code, told.fault) == ("key_rejected", Fault.CONFIG)
    assert "HTTP 401" in told.message
    assert provider.asked == 1, "an explicit answer needs no second one"


def test_a_mock_behind_a_gateway_is_called_a_mock(result, name, provider, monkeypatch) -> None:
    """A gateway gives out keys of any form, so that only its rejection tells; then the looks explain it."""
    monkeypatch.setenv(VARIABLES[name], "mock-key")
    assert result(AIProviderKey(name)).problem.code == "key_placeholder"
    provider.keys = {"mock-key"}
    assert result(AIProviderKey(name)).status is Status.HEALTHY


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("500", "provider_down"),
        ("429", "provider_rate_limited"),
        ("garbage", "provider_unclear"),
        ("redirect", "provider_unclear"),
        ("no-funds", "key_no_funds"),
    ],
)
def test_a_provider_in_trouble_is_only_degraded(result, name, provider, mode, code) -> None:
    provider.keys = set(KEYS.values())
    provider.mode = mode
    told = result(AIProviderKey(name))
    assert told.status is Status.DEGRADED
    assert told.problem.code == code
    assert provider.asked == 1, "a redirect is not followed"


def test_a_provider_that_says_nothing(result, name, provider, monkeypatch) -> None:
    from healthguard.deadline import ending_in

    provider.mode = "silent"
    with ending_in(1):
        told = result(AIProviderKey(name))
    assert told.status is Status.DEGRADED
    assert (told.problem.code, told.problem.fault) == ("provider_down", Fault.OUTAGE)
    assert "no answer in 0.8 s" in told.problem.message


def test_a_provider_that_is_not_there(result, name, monkeypatch) -> None:
    monkeypatch.setenv(BASES[name], "http://127.0.0.1:1")
    told = result(AIProviderKey(name))
    assert (told.status, told.problem.code) == (Status.DEGRADED, "provider_down")


@pytest.mark.parametrize("url", ["not a url", "ftp://127.0.0.1/", "http://", "${ANTHROPIC}", "http://u:pw@[bad"])
def test_a_base_url_that_is_none(result, name, monkeypatch, url) -> None:
    monkeypatch.setenv(BASES[name], url)
    told = result(AIProviderKey(name))
    assert (told.status, told.problem.code) == (Status.UNHEALTHY, "base_url_invalid")


OPENAI_CASES = [
    (401, {"error": {"code": "invalid_api_key", "message": "Incorrect API key"}}, "key_rejected"),
    (
        401,
        {"error": {"message": "You have insufficient permissions. Missing scopes: api.model.read"}},
        "key_restricted",
    ),
    (401, {"error": {"code": "incorrect_hostname", "message": "use eu"}}, "key_restricted"),
    (401, {"error": {"message": "You must be a member of an organization to use the API"}}, "key_restricted"),
    (401, {"error": {"message": "something new"}}, "provider_unclear"),
    (401, b"<html>", "provider_unclear"),
    (403, {"error": {"code": "unsupported_country_region_territory"}}, "provider_unclear"),
    (403, b"error code: 1010", "provider_unclear"),
    (429, {"error": {"code": "insufficient_quota"}}, "key_no_funds"),
    (429, {"error": {"code": "credit_balance_exhausted"}}, "key_no_funds"),
    (429, {"error": {"code": "project_spend_limit_exceeded"}}, "key_no_funds"),
    (429, {"error": {"code": "rate_limit_exceeded"}}, "provider_rate_limited"),
    (400, {"error": {"message": "bad request"}}, "provider_unclear"),
    (404, {"error": {"message": "no such path"}}, "provider_unclear"),
    (503, b"", "provider_down"),
    (200, {"models": []}, "provider_unclear"),
    (200, {"data": "no list"}, "provider_unclear"),
    (200, [], "provider_unclear"),
    (204, b"", "provider_unclear"),
    (301, b"", "provider_unclear"),
    (200, b"[" * 100_000, "provider_unclear"),
]
ANTHROPIC_CASES = [
    (401, {"error": {"type": "authentication_error", "message": "invalid x-api-key"}}, "key_rejected"),
    (401, b"", "key_rejected"),
    (400, {"error": {"type": "invalid_request_error", "message": "anything"}}, "provider_unclear"),
    (400, {"error": {"message": "Your credit balance is too low to access the API"}}, "key_no_funds"),
    (400, {"error": {"message": "This organization has been disabled."}}, "key_restricted"),
    (402, {"error": {"type": "billing_error"}}, "key_no_funds"),
    (403, {"error": {"type": "permission_error"}}, "key_restricted"),
    (403, b"<html>edge</html>", "provider_unclear"),
    (429, {"error": {"type": "rate_limit_error"}}, "provider_rate_limited"),
    (529, {"error": {"type": "overloaded_error"}}, "provider_down"),
    (302, b"", "provider_unclear"),
]


@pytest.mark.parametrize(
    ("name", "status", "body", "code"),
    [*(("openai", *case) for case in OPENAI_CASES), *(("anthropic", *case) for case in ANTHROPIC_CASES)],
    indirect=["name"],
)
def test_every_answer_is_read_as_the_provider_means_it(result, answering, name, status, body, code) -> None:
    answering(status, body)
    told = result(AIProviderKey(name))
    assert told.problem is not None
    assert told.problem.code == code
    assert told.status is (Status.UNHEALTHY if code == "key_rejected" else Status.DEGRADED)


@pytest.mark.parametrize("name", ["anthropic"], indirect=True)
def test_one_unclear_401_is_asked_again(result, httpserver, monkeypatch, name) -> None:
    monkeypatch.setenv(BASES[name], httpserver.url_for("").rstrip("/"))
    httpserver.expect_ordered_request(PATHS[name]).respond_with_data(b"", 401)
    httpserver.expect_ordered_request(PATHS[name]).respond_with_json({"data": []})
    assert result(AIProviderKey(name)).status is Status.HEALTHY


def test_how_it_asks(result, answering, name) -> None:
    server = answering(200, {"data": []})
    assert result(AIProviderKey(name)).status is Status.HEALTHY
    (request, _), *rest = server.log
    assert not rest
    assert request.method == "GET"
    assert request.headers["user-agent"].startswith("healthguard/")
    if name == "anthropic":
        assert request.headers["x-api-key"] == KEYS[name]
        assert request.headers["anthropic-version"] == "2023-06-01"
    else:
        assert request.headers["authorization"] == f"Bearer {KEYS[name]}"


@pytest.mark.parametrize("name", ["anthropic"], indirect=True)
def test_a_key_of_another_kind_is_asked_about_in_its_own_way(result, httpserver, monkeypatch, name) -> None:
    monkeypatch.setenv(BASES[name], httpserver.url_for("").rstrip("/"))
    httpserver.expect_request("/v1/organizations/me").respond_with_json({"id": "org", "type": "organization"})
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEYS[name].replace("api03", "admin01"))
    assert result(AIProviderKey(name)).status is Status.HEALTHY
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "gateway-token-8fJ2kQ91xZpL0vTqWm4Rt")
    bearer = {"authorization": "Bearer gateway-token-8fJ2kQ91xZpL0vTqWm4Rt"}
    httpserver.expect_request("/v1/models", headers=bearer).respond_with_json({"data": []})
    assert result(AIProviderKey(name)).status is Status.HEALTHY


def test_a_redirect_never_gets_the_key(result, answering, name) -> None:
    trap = HTTPServer()
    trap.start()
    try:
        trap.expect_request("/").respond_with_json({"data": []})
        answering(307, b"", {"Location": trap.url_for("/")})
        assert result(AIProviderKey(name)).status is Status.DEGRADED
        assert trap.log == []
    finally:
        trap.stop()


def test_an_endless_answer_is_cut(result, httpserver, monkeypatch, name) -> None:
    sent = []

    def endless() -> object:
        for _ in range(200):
            sent.append(1)
            yield b"x" * 65536

    httpserver.expect_request(PATHS[name]).respond_with_handler(lambda request: Response(endless()))
    monkeypatch.setenv(BASES[name], httpserver.url_for("").rstrip("/"))
    told = result(AIProviderKey(name))
    assert told.problem.code == "provider_unclear"
    assert "too long" in told.problem.message
    assert len(sent) < 200


def test_credentials_in_the_base_url_stay_out_of_the_log(result, answering, name, monkeypatch, caplog) -> None:
    server = answering(200, {"data": []})
    monkeypatch.setenv(BASES[name], f"http://gate:k33per-pass@127.0.0.1:{server.port}")
    with caplog.at_level(logging.DEBUG):
        told = result(AIProviderKey(name))
    assert told.status is Status.HEALTHY
    assert "k33per-pass" not in caplog.text + repr(told)
    assert KEYS[name] not in caplog.text
    (request, _), *_ = server.log
    assert request.authorization.password == "k33per-pass"


def test_an_unusual_form_is_only_degraded(result, name, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLES[name], KEYS[name][:-9])
    told = result(AIProviderKey(name, verify=False))
    assert (told.status, told.problem.code) == (Status.DEGRADED, "key_format")


def test_without_verification_nobody_is_asked(result, name, provider) -> None:
    assert result(AIProviderKey(name, verify=False)).status is Status.HEALTHY
    assert provider.asked == 0


def test_an_unknown_provider_is_told_with_the_one_that_was_meant(problem) -> None:
    told = problem(AIProviderKey("antropic"))
    assert told.code == "misdeclared"
    assert "anthropic" in told.hint


def test_a_key_in_the_place_of_the_provider_is_not_told(problem) -> None:
    for key in KEYS.values():
        assert key not in repr(problem(AIProviderKey(key)))


def test_the_fingerprint_with_any_secret_key(result, name, provider) -> None:
    provider.keys = set(KEYS.values())
    for secret in ("", b"bytes" * 20, "undecodable-\udcff" * 8):
        with override_settings(SECRET_KEY=secret):
            assert result(AIProviderKey(name)).status is Status.HEALTHY


def test_its_repr_holds_no_key(name) -> None:
    assert KEYS[name] not in repr(AIProviderKey(name))
