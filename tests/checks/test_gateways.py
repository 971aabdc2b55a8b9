"""A gateway proves a key only if it refuses a random one; whatever it answers to that is read with care."""

from __future__ import annotations

import dataclasses
import json
import os
import random
from urllib.parse import urlsplit

import pytest
from werkzeug import Response

from example_project.provider_simulator import SHAPES, base_url
from healthguard.checks import AIProviderKey, CredentialExchange
from healthguard.providers import PROVIDERS, Provider
from healthguard.status import Fault, Status
from tests.checks.provider_answers import MODELS
from tests.keys import key_of

pytestmark = pytest.mark.usefixtures("no_keys")

RNG = random.Random(os.urandom(8))
NAMES = sorted(PROVIDERS)
NAMED = [(name, PROVIDERS[name].base_url_variables[0]) for name in NAMES if PROVIDERS[name].base_url_variables]


@pytest.mark.parametrize(("name", "variable"), NAMED)
def test_gateway_that_answers_everybody_proves_nothing(result, monkeypatch, gateway, name, variable) -> None:
    key = key_of(PROVIDERS[name], RNG)
    monkeypatch.setenv(PROVIDERS[name].variables[0], key)
    monkeypatch.setenv(variable, gateway.base_urls[variable])
    told = result(AIProviderKey(name))
    assert (told.status, told.problem.code, told.problem.fault) == (Status.DEGRADED, "key_unproven", Fault.CONFIG)
    assert told.problem.evidence["verdict"] == "unproven"
    first, sample = gateway.received
    assert first == key
    assert sample != key
    assert PROVIDERS[name].has_format(sample)
    assert key not in repr(told)
    assert sample not in repr(told)


@pytest.mark.parametrize(("name", "variable"), NAMED)
@pytest.mark.parametrize("value", ["your-api-key-here", "changeme", "sk-xxxxxxxxxxxxxxxxxxxx", "mock-key", "<api-key>"])
def test_placeholder_at_such_a_gateway_stays_a_placeholder(result, monkeypatch, gateway, name, variable, value) -> None:
    monkeypatch.setenv(PROVIDERS[name].variables[0], value)
    monkeypatch.setenv(variable, gateway.base_urls[variable])
    told = result(AIProviderKey(name))
    assert (told.status, told.problem.code) == (Status.UNHEALTHY, "key_placeholder")
    assert "unknown_keys='accepted'" in told.problem.hint


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
def test_value_that_servers_without_keys_prescribe_is_no_outage(result, monkeypatch, gateway, value) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", value)
    monkeypatch.setenv("OPENAI_BASE_URL", gateway.base_urls["OPENAI_BASE_URL"])
    told = result(AIProviderKey("openai"))
    assert (told.status, told.problem.code) == (Status.DEGRADED, "key_unproven")
    assert "unknown_keys='accepted'" in told.problem.hint


@pytest.mark.parametrize(("name", "variable"), NAMED)
@pytest.mark.parametrize("value", [None, "virtual-key-8fJ2kQ91xZpL0vTq", "test"])
def test_gateway_that_refuses_a_random_key_proves_the_key(result, monkeypatch, provider, name, variable, value) -> None:
    """A virtual key may have any form, even that of a placeholder."""
    key = value or key_of(PROVIDERS[name], RNG)
    provider.keys = {key}
    monkeypatch.delenv("PROVIDER_SIMULATOR")
    monkeypatch.setenv(PROVIDERS[name].variables[0], key)
    told = result(AIProviderKey(name))
    assert told.status is Status.HEALTHY, told
    assert told.evidence["verdict"] == "real"
    assert len(provider.received) == 2
    assert provider.received[0] == key


REFUSALS = [
    (401, "{}"),
    (403, '{"error": "Forbidden"}'),
    (403, "<html>"),
    # LiteLLM without a database, Gemini, nginx, a login page, one-api.
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
def test_refusal_of_any_kind_shows_that_keys_are_checked(result, openai_gateway, httpserver, status, body) -> None:
    openai_gateway(lambda request: Response(body, status))
    told = result(AIProviderKey("openai"))
    assert told.status is Status.HEALTHY, told
    assert len(httpserver.log) == 2, "a random key is sent once"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 529, 408, 425])
def test_trouble_with_the_random_key_concludes_nothing(result, openai_gateway, httpserver, status) -> None:
    """The key stays what its own answer says; but no placeholder is green by it."""
    openai_gateway(lambda request: Response("{}", status))
    told = result(AIProviderKey("openai"))
    assert (told.status, told.evidence["verdict"]) == (Status.HEALTHY, "accepted")
    openai_gateway(lambda request: Response("{}", status), "your-api-key-here")
    told = result(AIProviderKey("openai"))
    assert (told.status, told.problem.code) == (Status.DEGRADED, "key_unproven")
    assert "placeholder" in told.problem.message
    assert len(httpserver.log) == 2


@pytest.mark.parametrize(("status", "code"), [(402, "key_no_funds"), (403, "key_restricted")])
def test_placeholder_is_not_real_because_everybody_is_out_of_funds(
    result, httpserver, monkeypatch, status, code
) -> None:
    body = {"error": {"type": "permission_error"}}
    httpserver.expect_request("/v1/models").respond_with_json(body, status)
    monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
    monkeypatch.setenv("OPENAI_API_KEY", "virtual-8fJ2kQ91xZpL0vTq")
    assert result(AIProviderKey("openai")).problem.code == code
    assert len(httpserver.log) == 1
    monkeypatch.setenv("OPENAI_API_KEY", "your-api-key-here")
    assert result(AIProviderKey("openai")).problem.code == "key_placeholder"


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_no_random_key_is_sent_where_the_answer_claims_nothing(result, httpserver, monkeypatch, status) -> None:
    httpserver.expect_request("/v1/models").respond_with_data("{}", status)
    monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
    monkeypatch.setenv("OPENAI_API_KEY", "virtual-8fJ2kQ91xZpL0vTq")
    assert result(AIProviderKey("openai")).status is not Status.HEALTHY
    assert all("virtual" in request.headers["authorization"] for request, _ in httpserver.log)


@pytest.mark.parametrize(("body", "is_real"), [({"data": []}, True), (MODELS, False), ({"data": [{"id": "b"}]}, False)])
def test_empty_list_for_a_random_key_is_another_answer(result, openai_gateway, body, is_real) -> None:
    openai_gateway(lambda request: Response(json.dumps(body), 200))
    assert (result(AIProviderKey("openai")).status is Status.HEALTHY) is is_real


@pytest.mark.parametrize("body", ['{"status": "ok"}', "<html>Welcome to nginx!</html>", "", '{"models": []}'])
@pytest.mark.parametrize(("key", "code"), [("your-api-key-here", "key_placeholder"), ("v-8fJ2kQ91xZpL0vTq", None)])
def test_success_of_another_form_refutes_no_placeholder(result, httpserver, monkeypatch, body, key, code) -> None:
    httpserver.expect_request("/v1/models").respond_with_data(body)
    monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
    monkeypatch.setenv("OPENAI_API_KEY", key)
    assert result(AIProviderKey("openai")).problem.code == (code or "provider_unclear")
    assert len(httpserver.log) == (2 if code else 1)


def test_no_cache_before_the_gateway_keeps_an_answer(result, openai_gateway, httpserver) -> None:
    """It could give a random key's refusal to the key."""
    openai_gateway(lambda request: Response("{}", 401))
    assert result(AIProviderKey("openai")).status is Status.HEALTHY
    assert [request.headers["cache-control"] for request, _ in httpserver.log] == ["no-store"] * 2


def test_empty_list_for_everybody_proves_nothing(result, httpserver, monkeypatch) -> None:
    httpserver.expect_request("/v1/models").respond_with_json({"data": []})
    monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
    monkeypatch.setenv("OPENAI_API_KEY", "virtual-8fJ2kQ91xZpL0vTq")
    assert result(AIProviderKey("openai")).problem.code == "key_unproven"


def test_another_providers_key_at_an_open_gateway_is_only_unproven(result, monkeypatch, gateway) -> None:
    """It may be meant for what stands behind the gateway."""
    monkeypatch.setenv("OPENAI_BASE_URL", gateway.base_urls["OPENAI_BASE_URL"])
    monkeypatch.setenv("OPENAI_API_KEY", key_of(PROVIDERS["openrouter"], RNG))
    told = result(AIProviderKey("openai"))
    assert (told.status, told.problem.code) == (Status.DEGRADED, "key_unproven")


# What a declaration may say.


@pytest.mark.parametrize("key", ["ollama", "EMPTY", "none", "your-api-key-here", "sk-no-key-required"])
def test_server_that_checks_no_keys_can_be_declared(result, monkeypatch, gateway, key) -> None:
    ollama = dataclasses.replace(PROVIDERS["openai"], unknown_keys="accepted")
    monkeypatch.setenv("OPENAI_BASE_URL", gateway.base_urls["OPENAI_BASE_URL"])
    monkeypatch.setenv("OPENAI_API_KEY", key)
    assert result(AIProviderKey(ollama)).status is Status.HEALTHY
    assert gateway.received == [key]
    gateway.mode = "500"
    assert result(AIProviderKey(ollama)).problem.code == "provider_down"


def test_server_that_is_declared_to_refuse_unknown_keys_gets_none(result, monkeypatch, gateway) -> None:
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
def test_declared_server_that_answers_everybody_proves_nothing(result, monkeypatch, gateway, name, is_gateway) -> None:
    there = base_url(f"http://127.0.0.1:{gateway.server_port}", name)
    declared = dataclasses.replace(
        PROVIDERS[name], base_url=there, base_url_variables=(), requests_by_prefix={}, is_gateway=is_gateway
    )
    monkeypatch.setenv(declared.variables[0], key_of(PROVIDERS[name], RNG))
    assert result(AIProviderKey(declared)).problem.code == "key_unproven"
    assert len(gateway.received) == 2
    assert PROVIDERS[name].has_format(gateway.received[1])
    monkeypatch.setenv(declared.variables[0], "your-api-key-here")
    assert result(AIProviderKey(declared)).problem.code == "key_placeholder"


@pytest.mark.parametrize("name", NAMES)
def test_declared_server_that_checks_keys_is_healthy(result, monkeypatch, gateway, name) -> None:
    gateway.is_open = False
    there = base_url(f"http://127.0.0.1:{gateway.server_port}", name)
    declared = dataclasses.replace(PROVIDERS[name], base_url=there, base_url_variables=(), requests_by_prefix={})
    key = key_of(PROVIDERS[name], RNG)
    gateway.keys = {key}
    monkeypatch.setenv(declared.variables[0], key)
    assert result(AIProviderKey(declared)).status is Status.HEALTHY


# What is vended.


@pytest.mark.parametrize(
    ("key", "code"), [(None, "key_unproven"), ("your-api-key-here", "key_placeholder"), ("changeme", "key_placeholder")]
)
@pytest.mark.parametrize("is_declared", [True, False])
def test_vended_key_at_a_gateway_that_answers_everybody(
    result, monkeypatch, httpserver, gateway, key, code, is_declared
) -> None:
    there = gateway.base_urls["OPENAI_BASE_URL"]
    vending = PROVIDERS["openai"]
    if is_declared:
        vending = Provider(name="openai", variables=("OPENAI_API_KEY",), base_url=there, is_gateway=True)
    else:
        monkeypatch.setenv("OPENAI_BASE_URL", there)
    entry = {"api_key": key or key_of(PROVIDERS["openai"], RNG)}
    httpserver.expect_request("/exchange").respond_with_json({"credentials": {"openai": entry}})
    told = result(CredentialExchange(httpserver.url_for("/exchange"), [vending], verify=True))
    assert told.problem.code == code
    assert told.status is (Status.DEGRADED if code == "key_unproven" else Status.UNHEALTHY)


def test_vended_key_at_a_gateway_that_checks_keys(result, monkeypatch, httpserver, gateway) -> None:
    key = key_of(PROVIDERS["openai"], RNG)
    gateway.is_open, gateway.keys = False, {key}
    monkeypatch.setenv("OPENAI_BASE_URL", gateway.base_urls["OPENAI_BASE_URL"])
    httpserver.expect_request("/exchange").respond_with_json({"credentials": {"openai": key}})
    assert result(CredentialExchange(httpserver.url_for("/exchange"), ["openai"], verify=True)).problem is None
    assert len(gateway.received) == 2


def test_simulator_knows_where_each_provider_is_asked() -> None:
    for name, shape in SHAPES.items():
        assert urlsplit(base_url("http://x", name)).path == f"/{name}{shape.base}"
