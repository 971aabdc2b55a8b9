"""A project can declare its own providers, as docs/checks.md describes."""

from __future__ import annotations

import random

import pytest
from pytest_httpserver import HTTPServer

from healthguard.checks import AIProviderKey
from healthguard.providers import PROVIDERS, Provider, ResponseRule, Verdict, VerificationRequest
from healthguard.status import Status
from tests.support.fixture_types import RunCheck
from tests.support.keys import key_of, maker
from tests.support.provider_answers import Answer
from tests.support.provider_servers import requests_to, respond_to_all, respond_to_key
from tests.support.results import problem_of

pytestmark = pytest.mark.usefixtures("no_provider_variables", "no_pause")

RNG = random.Random("test_own_providers")


def test_gateway_can_be_declared_in_one_line(
    result: RunCheck, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Provider(
        name="gateway", variables=("GATEWAY_API_KEY",), base_url=httpserver.url_for("/v1"), is_gateway=True
    )
    monkeypatch.setenv("GATEWAY_API_KEY", "anything")
    respond_to_key(httpserver, Answer(Verdict.VALID, 200, {"object": "list", "data": []}), "anything")
    outcome = result(AIProviderKey(gateway))
    assert (outcome.status, outcome.evidence["provider"]) == (Status.HEALTHY, "gateway")
    assert requests_to(httpserver)[0].path == "/v1/models"
    assert requests_to(httpserver)[0].headers["Authorization"] == "Bearer anything"
    respond_to_all(httpserver, Answer(Verdict.REJECTED, 401, {"error": {"message": "no"}}), "")
    outcome = result(AIProviderKey(gateway))
    assert (outcome.status, problem_of(outcome).code) == (Status.UNHEALTHY, "key_rejected")
    assert "gateway rejects the key" in problem_of(outcome).message


@pytest.mark.parametrize(
    ("status", "error", "verdict"),
    [
        (401, {}, Verdict.REJECTED),
        (402, {}, Verdict.NO_FUNDS),
        (403, {"type": "permission_error"}, Verdict.RESTRICTED),
        (403, {"code": "missing_scope"}, Verdict.RESTRICTED),
        (403, {"type": "forbidden"}, Verdict.UNKNOWN),
        (429, {"code": "insufficient_quota"}, Verdict.NO_FUNDS),
        (429, {"code": "monthly_spend_limit"}, Verdict.NO_FUNDS),
        (429, {}, Verdict.RATE_LIMITED),
        (400, {}, Verdict.UNKNOWN),
        (500, {}, Verdict.DOWN),
    ],
)
def test_default_rules_apply_to_a_provider_without_response_rules(
    result: RunCheck,
    httpserver: HTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    error: dict[str, str],
    verdict: Verdict,
) -> None:
    gateway = Provider(name="gateway", variables=("GATEWAY_API_KEY",), base_url=httpserver.url_for("/v1"))
    monkeypatch.setenv("GATEWAY_API_KEY", key_of(PROVIDERS["mistral"], RNG))
    respond_to_all(httpserver, Answer(verdict, status, {"error": error}), "")
    assert problem_of(result(AIProviderKey(gateway))).evidence["verdict"] == verdict


def test_ollama_accepts_any_key(result: RunCheck, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    ollama = Provider(
        name="ollama", variables=("OLLAMA_API_KEY",), base_url="http://{OLLAMA_HOST}/v1", unknown_keys="accepted"
    )
    monkeypatch.setenv("OLLAMA_API_KEY", "ollama")
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    assert problem_of(result(AIProviderKey(ollama))).code == "base_url_missing"
    monkeypatch.setenv("OLLAMA_HOST", f"{httpserver.host}:{httpserver.port}")
    respond_to_all(httpserver, Answer(Verdict.VALID, 200, {"object": "list", "data": [{"id": "llama3"}]}), "")
    assert result(AIProviderKey(ollama)).status is Status.HEALTHY


def test_formats_request_and_response_rules_can_be_declared(
    result: RunCheck, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = Provider(
        name="strict",
        title="Strict AI",
        variables=("STRICT_KEY",),
        base_url=httpserver.url_for("").rstrip("/"),
        formats=(r"strict-[0-9a-f]{32}",),
        request=VerificationRequest("/v1/me", {"x-api-key": "{key}"}),
        success_fields=("account",),
        response_rules=(ResponseRule(Verdict.NO_FUNDS, 403, "error.code", "no_credit"),),
        unknown_keys="refused",
    )
    key = maker(strict.formats[0])(RNG)
    monkeypatch.setenv("STRICT_KEY", key)
    for body, status, code in (
        ({"account": 1}, 200, None),
        ({"account": None}, 200, "provider_inconclusive"),
        ({"error": {"code": "no_credit"}}, 403, "key_no_funds"),
    ):
        respond_to_all(httpserver, Answer(Verdict.UNKNOWN, status, body), "")
        outcome = result(AIProviderKey(strict))
        assert (outcome.problem and outcome.problem.code) == code
        assert requests_to(httpserver)[-1].headers["x-api-key"] == key
    monkeypatch.setenv("STRICT_KEY", "other-form-8fJ2kQ91xZpL0vTq")
    respond_to_all(httpserver, Answer(Verdict.VALID, 200, {"account": 1}), "")
    outcome = result(AIProviderKey(strict))
    assert (outcome.status, problem_of(outcome).code) == (Status.DEGRADED, "key_format")
    assert "Strict AI" in problem_of(outcome).message
