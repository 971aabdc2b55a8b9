"""AIProviderKey: the verification request, and the meaning of each response."""

from __future__ import annotations

import dataclasses
import logging
import re
import threading
import time
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from example_project.provider_simulator import Simulator
from healthguard.checks import AIProviderKey
from healthguard.providers import PROVIDERS
from healthguard.runtime.deadline import deadline_after
from healthguard.status import Fault, Status
from tests.support.ai_keys import BASE_URLS, KEYS, PATHS, ServeProvider
from tests.support.fixture_types import FindProblem, RunCheck
from tests.support.results import problem_of

pytestmark = pytest.mark.usefixtures("ai_key_environment")


# The request.


def test_key_is_sent_in_the_headers_of_the_provider(
    result: RunCheck, serve_provider: ServeProvider, ai_provider: str
) -> None:
    """A second request has a random key instead of the real one."""
    server = serve_provider(200, {"data": []})
    assert result(AIProviderKey(ai_provider)).status is Status.HEALTHY
    (request, _), (sample, _) = server.log
    assert KEYS[ai_provider] not in str(sample.headers)
    assert request.method == "GET"
    assert request.headers["user-agent"].startswith("healthguard/")
    if ai_provider == "anthropic":
        assert request.headers["x-api-key"] == KEYS[ai_provider]
        assert request.headers["anthropic-version"] == "2023-06-01"
    else:
        assert request.headers["authorization"] == f"Bearer {KEYS[ai_provider]}"


@pytest.mark.parametrize("ai_provider", ["anthropic"], indirect=True)
def test_key_of_another_kind_is_verified_with_its_own_request(
    result: RunCheck, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, ai_provider: str
) -> None:
    """An admin key is sent to another path, and a token in another header."""
    monkeypatch.setenv(BASE_URLS[ai_provider], httpserver.url_for("").rstrip("/"))
    admin = KEYS[ai_provider].replace("api03", "admin01")
    httpserver.expect_request("/v1/organizations/me", headers={"x-api-key": admin}).respond_with_json({"id": "org"})
    httpserver.expect_request("/v1/organizations/me").respond_with_data("{}", 401)
    monkeypatch.setenv("ANTHROPIC_API_KEY", admin)
    assert result(AIProviderKey(ai_provider)).status is Status.HEALTHY
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "gateway-token-8fJ2kQ91xZpL0vTqWm4Rt")
    bearer = {"authorization": "Bearer gateway-token-8fJ2kQ91xZpL0vTqWm4Rt"}
    httpserver.expect_request("/v1/models", headers=bearer).respond_with_json({"data": []})
    httpserver.expect_request("/v1/models").respond_with_data("{}", 401)
    assert result(AIProviderKey(ai_provider)).status is Status.HEALTHY


@pytest.mark.parametrize("ai_provider", ["anthropic"], indirect=True)
def test_unclear_401_is_confirmed_by_a_second_request(
    result: RunCheck, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, ai_provider: str
) -> None:
    monkeypatch.setenv(BASE_URLS[ai_provider], httpserver.url_for("").rstrip("/"))
    httpserver.expect_ordered_request(PATHS[ai_provider]).respond_with_data(b"", 401)
    httpserver.expect_ordered_request(PATHS[ai_provider]).respond_with_json({"data": []})
    began = time.monotonic()
    assert result(AIProviderKey(ai_provider)).status is Status.HEALTHY
    assert time.monotonic() - began > 0.5, "the second request was sent without a pause"


def test_a_redirect_never_gets_the_key(result: RunCheck, serve_provider: ServeProvider, ai_provider: str) -> None:
    trap = HTTPServer()
    trap.start()
    try:
        trap.expect_request("/").respond_with_json({"data": []})
        serve_provider(307, b"", {"Location": trap.url_for("/")})
        assert result(AIProviderKey(ai_provider)).status is Status.DEGRADED
        assert trap.log == []
    finally:
        trap.stop()


def test_credentials_in_the_base_url_are_not_logged(
    result: RunCheck,
    serve_provider: ServeProvider,
    ai_provider: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = serve_provider(200, {"data": []})
    monkeypatch.setenv(BASE_URLS[ai_provider], f"http://gate:k33per-pass@127.0.0.1:{server.port}")
    with caplog.at_level(logging.DEBUG):
        outcome = result(AIProviderKey(ai_provider))
    # If the key is a bearer token, the user is sent instead of it.
    assert outcome.status is (Status.HEALTHY if ai_provider == "anthropic" else Status.DEGRADED)
    assert "k33per-pass" not in caplog.text + repr(outcome)
    assert KEYS[ai_provider] not in caplog.text
    (request, _), *_ = server.log
    authorization: Any = request.authorization
    assert authorization.password == "k33per-pass"


# The response.


def test_rejected_key_is_reported(problem: FindProblem, ai_provider: str, provider: Simulator) -> None:
    found = problem(AIProviderKey(ai_provider))
    assert (found.code, found.fault) == ("key_rejected", Fault.CONFIG)
    assert "HTTP 401" in found.message
    assert provider.asked == 1, "an explicit response was confirmed by a second request"


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("500", "provider_down"),
        ("429", "provider_rate_limited"),
        ("garbage", "provider_inconclusive"),
        ("redirect", "provider_inconclusive"),
        ("no-funds", "key_no_funds"),
    ],
)
def test_failing_provider_is_degraded(
    result: RunCheck, ai_provider: str, provider: Simulator, mode: str, code: str
) -> None:
    """A failure of the provider is not a problem of the key."""
    provider.keys = set(KEYS.values())
    provider.mode = mode
    outcome = result(AIProviderKey(ai_provider))
    assert outcome.status is Status.DEGRADED
    assert problem_of(outcome).code == code
    assert provider.asked == 1, "a redirect was followed"


def test_silent_provider_is_degraded(result: RunCheck, ai_provider: str, provider: Simulator) -> None:
    provider.mode = "silent"
    with deadline_after(1):
        outcome = result(AIProviderKey(ai_provider))
    found = problem_of(outcome)
    assert outcome.status is Status.DEGRADED
    assert (found.code, found.fault) == ("provider_down", Fault.OUTAGE)
    assert re.search(r"no response within 0\.\d s", found.message)


def test_provider_that_refuses_connections_is_degraded(
    result: RunCheck, ai_provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BASE_URLS[ai_provider], "http://127.0.0.1:1")
    outcome = result(AIProviderKey(ai_provider))
    assert (outcome.status, problem_of(outcome).code) == (Status.DEGRADED, "provider_down")


OPENAI_CASES: list[tuple[int, object, str]] = [
    (401, {"error": {"code": "invalid_api_key", "message": "Incorrect API key"}}, "key_rejected"),
    (
        401,
        {"error": {"message": "You have insufficient permissions. Missing scopes: api.model.read"}},
        "key_restricted",
    ),
    (401, {"error": {"code": "incorrect_hostname", "message": "use eu"}}, "key_restricted"),
    (401, {"error": {"message": "You must be a member of an organization to use the API"}}, "key_restricted"),
    (401, {"error": {"message": "something new"}}, "provider_inconclusive"),
    (401, b"<html>", "provider_inconclusive"),
    (403, {"error": {"code": "unsupported_country_region_territory"}}, "provider_inconclusive"),
    (403, b"error code: 1010", "provider_inconclusive"),
    (429, {"error": {"code": "insufficient_quota"}}, "key_no_funds"),
    (429, {"error": {"code": "credit_balance_exhausted"}}, "key_no_funds"),
    (429, {"error": {"code": "project_spend_limit_exceeded"}}, "key_no_funds"),
    (429, {"error": {"code": "rate_limit_exceeded"}}, "provider_rate_limited"),
    (400, {"error": {"message": "bad request"}}, "provider_inconclusive"),
    (404, {"error": {"message": "no such path"}}, "provider_inconclusive"),
    (503, b"", "provider_down"),
    (200, {"models": []}, "provider_inconclusive"),
    (200, {"data": "no list"}, "provider_inconclusive"),
    (200, [], "provider_inconclusive"),
    (204, b"", "provider_inconclusive"),
    (301, b"", "provider_inconclusive"),
    (200, b"[" * 100_000, "provider_inconclusive"),
]
ANTHROPIC_CASES: list[tuple[int, object, str]] = [
    (401, {"error": {"type": "authentication_error", "message": "invalid x-api-key"}}, "key_rejected"),
    (401, b"", "key_rejected"),
    (400, {"error": {"type": "invalid_request_error", "message": "anything"}}, "provider_inconclusive"),
    (400, {"error": {"message": "Your credit balance is too low to access the API"}}, "key_no_funds"),
    (400, {"error": {"message": "This organization has been disabled."}}, "key_restricted"),
    (402, {"error": {"type": "billing_error"}}, "key_no_funds"),
    (403, {"error": {"type": "permission_error"}}, "key_restricted"),
    (403, b"<html>edge</html>", "provider_inconclusive"),
    (429, {"error": {"type": "rate_limit_error"}}, "provider_rate_limited"),
    (529, {"error": {"type": "overloaded_error"}}, "provider_down"),
    (302, b"", "provider_inconclusive"),
]


@pytest.mark.parametrize(
    ("ai_provider", "status", "body", "code"),
    [*(("openai", *case) for case in OPENAI_CASES), *(("anthropic", *case) for case in ANTHROPIC_CASES)],
    indirect=["ai_provider"],
)
def test_response_has_the_meaning_that_its_provider_documents(
    result: RunCheck, serve_provider: ServeProvider, ai_provider: str, status: int, body: object, code: str
) -> None:
    url = serve_provider(status, body).url_for("").rstrip("/")
    outcome = result(AIProviderKey(dataclasses.replace(PROVIDERS[ai_provider], base_url=url)))
    assert outcome.problem is not None
    assert outcome.problem.code == code
    assert outcome.status is (Status.UNHEALTHY if code == "key_rejected" else Status.DEGRADED)


@pytest.mark.parametrize("body", [{"error": {"type": "auth_error", "code": "401"}}, {"detail": "Unauthorized"}, b"no"])
def test_401_of_a_gateway_is_confirmed_and_rejects_the_key(
    result: RunCheck, serve_provider: ServeProvider, ai_provider: str, body: object
) -> None:
    """A 401 of OpenAI itself is inconclusive unless it names the key, but that of a gateway such as LiteLLM is not."""
    server = serve_provider(401, body)
    outcome = result(AIProviderKey(ai_provider))
    assert (outcome.status, problem_of(outcome).code) == (Status.UNHEALTHY, "key_rejected")
    assert len(server.log) == 2


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, {"error": {"message": "ip " * 300_000}}, "provider_inconclusive"),
        (429, {"error": {"code": "credit" * 150_000}}, "provider_rate_limited"),
        (401, b'{"error":' + b"[" * 1200 + b"]" * 1200 + b"}", "provider_inconclusive"),
        (200, b'{"data":' * 300 + b"[]" + b"}" * 300, "provider_inconclusive"),
    ],
)
@pytest.mark.parametrize("ai_provider", ["openai"], indirect=True)
def test_response_does_not_block_the_process(
    result: RunCheck, serve_provider: ServeProvider, ai_provider: str, status: int, body: object, code: str
) -> None:
    """A regular expression of Python blocks all threads while it runs, and no timeout ends it."""
    url = serve_provider(status, body).url_for("").rstrip("/")
    openai = dataclasses.replace(PROVIDERS[ai_provider], base_url=url)
    pauses: list[float] = []
    ended = threading.Event()

    def tick() -> None:
        last = time.monotonic()
        while not ended.wait(0.01):
            pauses.append(time.monotonic() - last)
            last = time.monotonic()
        pauses.append(time.monotonic() - last)

    ticker = threading.Thread(target=tick)
    ticker.start()
    outcome = result(AIProviderKey(openai))
    ended.set()
    ticker.join()
    assert (outcome.status, problem_of(outcome).code) == (Status.DEGRADED, code)
    # The expression would take minutes, or would never end.
    assert max(pauses) < 20
