"""The response of a gateway proves that a key is real only if the gateway rejects a random key."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from example_project.provider_simulator import SHAPES, Simulator, base_url
from healthguard.checks import AIProviderKey, CredentialExchange
from healthguard.providers import PROVIDERS, Provider
from healthguard.status import Fault, Status
from tests.support.fixture_types import RunCheck
from tests.support.keys import key_of
from tests.support.provider_answers import MODELS
from tests.support.results import problem_of

pytestmark = pytest.mark.usefixtures("no_keys")

RNG = random.Random("test_gateways")
NAMES = sorted(PROVIDERS)
NAMED = [(name, PROVIDERS[name].base_url_variables[0]) for name in NAMES if PROVIDERS[name].base_url_variables]


@pytest.mark.parametrize(("name", "variable"), NAMED)
def test_gateway_that_accepts_every_key_proves_nothing(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, gateway: Simulator, name: str, variable: str
) -> None:
    key = key_of(PROVIDERS[name], RNG)
    monkeypatch.setenv(PROVIDERS[name].variables[0], key)
    monkeypatch.setenv(variable, gateway.base_urls[variable])
    outcome = result(AIProviderKey(name))
    assert (outcome.status, problem_of(outcome).code, problem_of(outcome).fault) == (
        Status.DEGRADED,
        "key_unproven",
        Fault.CONFIG,
    )
    assert problem_of(outcome).evidence["verdict"] == "unproven"
    first, sample = gateway.received
    assert first == key
    assert sample != key
    assert PROVIDERS[name].has_format(sample)
    assert key not in repr(outcome)
    assert sample not in repr(outcome)


@pytest.mark.parametrize(("name", "variable"), NAMED)
@pytest.mark.parametrize("value", ["your-api-key-here", "changeme", "sk-xxxxxxxxxxxxxxxxxxxx", "mock-key", "<api-key>"])
def test_placeholder_at_a_gateway_that_accepts_every_key_is_reported(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, gateway: Simulator, name: str, variable: str, value: str
) -> None:
    monkeypatch.setenv(PROVIDERS[name].variables[0], value)
    monkeypatch.setenv(variable, gateway.base_urls[variable])
    outcome = result(AIProviderKey(name))
    assert (outcome.status, problem_of(outcome).code) == (Status.UNHEALTHY, "key_placeholder")
    assert "unknown_keys='accepted'" in problem_of(outcome).hint


@pytest.mark.parametrize(
    "value",
    [
        *(
            "ollama",
            "Ollama",
            "EMPTY",
            "vllm",
            "token-abc123",
            "lm-studio",
            "llama.cpp",
            "local",
            "NA",
            "n/a",
            "unused",
        ),
        *(
            "not-needed",
            "not_needed",
            "no-key",
            "no-key-required",
            "sk-no-key-required",
            "no_api_key_needed",
            "not-used",
        ),
    ],
)
def test_value_that_servers_without_keys_prescribe_is_only_unproven(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, gateway: Simulator, value: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", value)
    monkeypatch.setenv("OPENAI_BASE_URL", gateway.base_urls["OPENAI_BASE_URL"])
    outcome = result(AIProviderKey("openai"))
    assert (outcome.status, problem_of(outcome).code) == (Status.DEGRADED, "key_unproven")
    assert "unknown_keys='accepted'" in problem_of(outcome).hint


@pytest.mark.parametrize(("name", "variable"), NAMED)
@pytest.mark.parametrize("value", [None, "virtual-key-8fJ2kQ91xZpL0vTq", "test"])
def test_gateway_that_rejects_a_random_key_proves_the_key(
    result: RunCheck,
    monkeypatch: pytest.MonkeyPatch,
    provider: Simulator,
    name: str,
    variable: str,
    value: str | None,
) -> None:
    """A virtual key may have any form, even that of a placeholder."""
    key = value or key_of(PROVIDERS[name], RNG)
    provider.keys = {key}
    monkeypatch.delenv("PROVIDER_SIMULATOR")
    monkeypatch.setenv(PROVIDERS[name].variables[0], key)
    outcome = result(AIProviderKey(name))
    assert outcome.status is Status.HEALTHY, outcome
    assert outcome.evidence["verdict"] == "valid"
    assert len(provider.received) == 2
    assert provider.received[0] == key


REFUSALS: list[tuple[int, str]] = [
    (401, "{}"),
    (403, '{"error": "Forbidden"}'),
    (403, "<html>"),
    # The responses of LiteLLM without a database, Gemini, nginx, a login page and one-api.
    (400, '{"error": {"message": "No connected db.", "type": "no_db_connection", "code": "400"}}'),
    (400, '{"error": {"details": [{"reason": "API_KEY_INVALID"}]}}'),
    (404, "not found"),
    (302, ""),
    (200, "<html>Sign in</html>"),
    (200, '{"success": false, "message": "invalid token"}'),
    (402, '{"error": "payment required"}'),
    (407, ""),
    (418, "short and stout"),
]


@pytest.mark.parametrize(("status", "body"), REFUSALS)
def test_rejection_of_any_kind_shows_that_keys_are_checked(
    result: RunCheck, openai_gateway: Callable[..., str], httpserver: HTTPServer, status: int, body: str
) -> None:
    openai_gateway(lambda request: Response(body, status))
    outcome = result(AIProviderKey("openai"))
    assert outcome.status is Status.HEALTHY, outcome
    assert len(httpserver.log) == 2, "a random key is sent once"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 529, 408, 425])
def test_failure_with_the_random_key_is_inconclusive(
    result: RunCheck, openai_gateway: Callable[..., str], httpserver: HTTPServer, status: int
) -> None:
    """The response to the key itself counts, but it does not make a placeholder healthy."""
    openai_gateway(lambda request: Response("{}", status))
    outcome = result(AIProviderKey("openai"))
    assert (outcome.status, outcome.evidence["verdict"]) == (Status.HEALTHY, "accepted")
    openai_gateway(lambda request: Response("{}", status), "your-api-key-here")
    outcome = result(AIProviderKey("openai"))
    assert (outcome.status, problem_of(outcome).code) == (Status.DEGRADED, "key_unproven")
    assert "placeholder" in problem_of(outcome).message
    assert len(httpserver.log) == 2


@pytest.mark.parametrize(("status", "code"), [(402, "key_no_funds"), (403, "key_restricted")])
def test_placeholder_is_reported_if_every_key_is_out_of_funds(
    result: RunCheck, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, status: int, code: str
) -> None:
    body = {"error": {"type": "permission_error"}}
    httpserver.expect_request("/v1/models").respond_with_json(body, status)
    monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
    monkeypatch.setenv("OPENAI_API_KEY", "virtual-8fJ2kQ91xZpL0vTq")
    assert problem_of(result(AIProviderKey("openai"))).code == code
    assert len(httpserver.log) == 1
    monkeypatch.setenv("OPENAI_API_KEY", "your-api-key-here")
    assert problem_of(result(AIProviderKey("openai"))).code == "key_placeholder"


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_no_random_key_is_sent_if_the_key_is_not_accepted(
    result: RunCheck, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    httpserver.expect_request("/v1/models").respond_with_data("{}", status)
    monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
    monkeypatch.setenv("OPENAI_API_KEY", "virtual-8fJ2kQ91xZpL0vTq")
    assert result(AIProviderKey("openai")).status is not Status.HEALTHY
    assert all("virtual" in request.headers["authorization"] for request, _ in httpserver.log)


@pytest.mark.parametrize(("body", "is_real"), [({"data": []}, True), (MODELS, False), ({"data": [{"id": "b"}]}, False)])
def test_empty_list_for_a_random_key_is_another_response(
    result: RunCheck, openai_gateway: Callable[..., str], body: dict[str, Any], is_real: bool
) -> None:
    openai_gateway(lambda request: Response(json.dumps(body), 200))
    assert (result(AIProviderKey("openai")).status is Status.HEALTHY) is is_real


@pytest.mark.parametrize("body", ['{"status": "ok"}', "<html>Welcome to nginx!</html>", "", '{"models": []}'])
@pytest.mark.parametrize(("key", "code"), [("your-api-key-here", "key_placeholder"), ("v-8fJ2kQ91xZpL0vTq", None)])
def test_success_with_another_body_does_not_make_a_placeholder_healthy(
    result: RunCheck, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, body: str, key: str, code: str | None
) -> None:
    httpserver.expect_request("/v1/models").respond_with_data(body)
    monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
    monkeypatch.setenv("OPENAI_API_KEY", key)
    assert problem_of(result(AIProviderKey("openai"))).code == (code or "provider_inconclusive")
    assert len(httpserver.log) == (2 if code else 1)


def test_caches_in_front_of_a_gateway_store_no_response(
    result: RunCheck, openai_gateway: Callable[..., str], httpserver: HTTPServer
) -> None:
    """A stored response to a random key could be returned for the key."""
    openai_gateway(lambda request: Response("{}", 401))
    assert result(AIProviderKey("openai")).status is Status.HEALTHY
    assert [request.headers["cache-control"] for request, _ in httpserver.log] == ["no-store"] * 2


def test_empty_list_for_every_key_proves_nothing(
    result: RunCheck, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request("/v1/models").respond_with_json({"data": []})
    monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
    monkeypatch.setenv("OPENAI_API_KEY", "virtual-8fJ2kQ91xZpL0vTq")
    assert problem_of(result(AIProviderKey("openai"))).code == "key_unproven"


def test_key_of_another_provider_at_an_open_gateway_is_only_unproven(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, gateway: Simulator
) -> None:
    """The gateway may pass the key on to that provider."""
    monkeypatch.setenv("OPENAI_BASE_URL", gateway.base_urls["OPENAI_BASE_URL"])
    monkeypatch.setenv("OPENAI_API_KEY", key_of(PROVIDERS["openrouter"], RNG))
    outcome = result(AIProviderKey("openai"))
    assert (outcome.status, problem_of(outcome).code) == (Status.DEGRADED, "key_unproven")


@pytest.mark.parametrize("key", ["ollama", "EMPTY", "none", "your-api-key-here", "sk-no-key-required"])
def test_server_that_checks_no_keys_can_be_declared(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, gateway: Simulator, key: str
) -> None:
    ollama = dataclasses.replace(PROVIDERS["openai"], unknown_keys="accepted")
    monkeypatch.setenv("OPENAI_BASE_URL", gateway.base_urls["OPENAI_BASE_URL"])
    monkeypatch.setenv("OPENAI_API_KEY", key)
    assert result(AIProviderKey(ollama)).status is Status.HEALTHY
    assert gateway.received == [key]
    gateway.mode = "500"
    assert problem_of(result(AIProviderKey(ollama))).code == "provider_down"


def test_server_that_is_declared_to_reject_unknown_keys_receives_none(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, gateway: Simulator
) -> None:
    own = Provider(
        name="own",
        variables=("OWN_KEY",),
        base_url=base_url(f"http://127.0.0.1:{gateway.server_port}", "openai"),
        unknown_keys="refused",
    )
    monkeypatch.setenv("OWN_KEY", "own-8fJ2kQ91xZpL0vTq")
    assert result(AIProviderKey(own)).status is Status.HEALTHY
    assert gateway.received == ["own-8fJ2kQ91xZpL0vTq"]


@pytest.mark.parametrize("is_gateway", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_declared_server_that_accepts_every_key_proves_nothing(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, gateway: Simulator, name: str, is_gateway: bool
) -> None:
    url = base_url(f"http://127.0.0.1:{gateway.server_port}", name)
    declared = dataclasses.replace(
        PROVIDERS[name], base_url=url, base_url_variables=(), requests_by_prefix={}, is_gateway=is_gateway
    )
    monkeypatch.setenv(declared.variables[0], key_of(PROVIDERS[name], RNG))
    assert problem_of(result(AIProviderKey(declared))).code == "key_unproven"
    assert len(gateway.received) == 2
    assert PROVIDERS[name].has_format(gateway.received[1])
    monkeypatch.setenv(declared.variables[0], "your-api-key-here")
    assert problem_of(result(AIProviderKey(declared))).code == "key_placeholder"


@pytest.mark.parametrize("name", NAMES)
def test_declared_server_that_checks_keys_is_healthy(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, gateway: Simulator, name: str
) -> None:
    gateway.is_open = False
    url = base_url(f"http://127.0.0.1:{gateway.server_port}", name)
    declared = dataclasses.replace(PROVIDERS[name], base_url=url, base_url_variables=(), requests_by_prefix={})
    key = key_of(PROVIDERS[name], RNG)
    gateway.keys = {key}
    monkeypatch.setenv(declared.variables[0], key)
    assert result(AIProviderKey(declared)).status is Status.HEALTHY


@pytest.mark.parametrize(
    ("key", "code"), [(None, "key_unproven"), ("your-api-key-here", "key_placeholder"), ("changeme", "key_placeholder")]
)
@pytest.mark.parametrize("is_declared", [True, False])
def test_vended_key_at_a_gateway_that_accepts_every_key_is_reported(
    result: RunCheck,
    monkeypatch: pytest.MonkeyPatch,
    httpserver: HTTPServer,
    gateway: Simulator,
    key: str | None,
    code: str,
    is_declared: bool,
) -> None:
    url = gateway.base_urls["OPENAI_BASE_URL"]
    vending = PROVIDERS["openai"]
    if is_declared:
        vending = Provider(name="openai", variables=("OPENAI_API_KEY",), base_url=url, is_gateway=True)
    else:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
    entry = {"api_key": key or key_of(PROVIDERS["openai"], RNG)}
    httpserver.expect_request("/exchange").respond_with_json({"credentials": {"openai": entry}})
    outcome = result(CredentialExchange(httpserver.url_for("/exchange"), [vending], verify=True))
    assert problem_of(outcome).code == code
    assert outcome.status is (Status.DEGRADED if code == "key_unproven" else Status.UNHEALTHY)


def test_vended_key_at_a_gateway_that_checks_keys_is_healthy(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer, gateway: Simulator
) -> None:
    key = key_of(PROVIDERS["openai"], RNG)
    gateway.is_open, gateway.keys = False, {key}
    monkeypatch.setenv("OPENAI_BASE_URL", gateway.base_urls["OPENAI_BASE_URL"])
    httpserver.expect_request("/exchange").respond_with_json({"credentials": {"openai": key}})
    assert result(CredentialExchange(httpserver.url_for("/exchange"), ["openai"], verify=True)).problem is None
    assert len(gateway.received) == 2


def test_simulator_has_the_base_url_path_of_each_provider() -> None:
    for name, shape in SHAPES.items():
        assert urlsplit(base_url("http://x", name)).path == f"/{name}{shape.base}"
