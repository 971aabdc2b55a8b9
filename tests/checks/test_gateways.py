"""What proves a key real: a base URL of a known provider is asked as that provider, any other one with a random key."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from django.core.cache import caches
from pytest_httpserver import HTTPServer
from werkzeug import Request as Received
from werkzeug import Response

from example_project.deployment import openai_key
from example_project.provider_simulator import SHAPES, Simulator, base_url
from healthguard.checks import AIProviderKey, CredentialExchange
from healthguard.deadline import ending_in
from healthguard.execution import result_of
from healthguard.providers import PROVIDERS, Provider, Request, Verdict
from healthguard.providers.asking import sample_of
from healthguard.providers.remembered import _memory
from healthguard.service import source_of
from healthguard.status import CheckResult, Fault, Status
from tests.checks.provider_answers import ANSWERS
from tests.keys import forms, key_of, maker

RNG = random.Random(os.urandom(8))
NAMES = sorted(PROVIDERS)
NAMED = [(name, PROVIDERS[name].base_url_variables[0]) for name in NAMES if PROVIDERS[name].base_url_variables]
MODELS = {"object": "list", "data": [{"id": "any", "object": "model"}]}
OPENAI_VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
CLAUDE_VARIABLES = ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL")


@pytest.fixture(autouse=True)
def _bare(monkeypatch) -> None:
    for provider in PROVIDERS.values():
        names = (*provider.variables, *provider.place_variables, *(switch.variable for switch in provider.switches))
        for name in names:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    _memory.forget()


@pytest.fixture
def gateway() -> Iterator[Simulator]:
    """A gateway that checks no keys."""
    server = Simulator(is_open=True).start()
    yield server
    server.stop()


class Internet(ThreadingHTTPServer):
    """A proxy that answers for every host: as its provider at ``url``, and anywhere else with a public list of models.

    Args:
        url: where the provider's own request is answered.
        header: the header that holds the key.
        key: the key that the provider knows.
        answer: its answer about that key.
    """

    daemon_threads = True

    def __init__(self, url: str, header: str, key: str, answer: object) -> None:
        super().__init__(("127.0.0.1", 0), _Proxied)
        self.own_url, self.header, self.key, self.answer = url, header.lower(), key, answer
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class _Proxied(BaseHTTPRequestHandler):
    server: Internet

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path != self.server.own_url:
            self._send(200, MODELS)
        elif self.headers.get(self.server.header, "").removeprefix("Bearer ") == self.server.key:
            self._send(200, self.server.answer)
        else:
            self._send(401, {"error": {"code": "invalid_api_key", "message": "No such user"}})

    do_POST = do_GET

    def _send(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture
def internet(monkeypatch) -> Iterator[Callable[..., Internet]]:
    servers: list[Internet] = []

    def connect(url: str, header: str, key: str, answer: object) -> Internet:
        servers.append(Internet(url, header, key, answer))
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{servers[-1].server_port}")
        return servers[-1]

    yield connect
    for server in servers:
        server.shutdown()
        server.server_close()


# The key's variable and the base URL's, that URL, whose host it is, and where that provider is asked.
BEARER_OR_OWN = {
    "anthropic": "x-api-key",
    "azure_openai": "api-key",
    "gemini": "x-goog-api-key",
    "elevenlabs": "xi-api-key",
}
AZURE = "/openai/models?api-version=2024-10-21"
ROUTES = [
    (OPENAI_VARIABLES, "http://openrouter.ai/api/v1", "openrouter", "http://openrouter.ai/api/v1/key"),
    (OPENAI_VARIABLES, "http://openrouter.ai/api/v1/", "openrouter", "http://openrouter.ai/api/v1/key"),
    (OPENAI_VARIABLES, "http://OpenRouter.ai./api/v1", "openrouter", "http://openrouter.ai./api/v1/key"),
    (OPENAI_VARIABLES, "http://eu.openrouter.ai/api/v1", "openrouter", "http://eu.openrouter.ai/api/v1/key"),
    (CLAUDE_VARIABLES, "http://openrouter.ai/api", "openrouter", "http://openrouter.ai/api/v1/key"),
    (
        ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"),
        "http://openrouter.ai/api",
        "openrouter",
        "http://openrouter.ai/api/v1/key",
    ),
    (CLAUDE_VARIABLES, "http://api.deepseek.com/anthropic", "deepseek", "http://api.deepseek.com/user/balance"),
    (OPENAI_VARIABLES, "http://api.deepseek.com/v1", "deepseek", "http://api.deepseek.com/user/balance"),
    (OPENAI_VARIABLES, "http://api.x.ai/v1", "xai", "http://api.x.ai/v1/api-key"),
    (OPENAI_VARIABLES, "http://eu-west-1.api.x.ai/v1", "xai", "http://eu-west-1.api.x.ai/v1/api-key"),
    (OPENAI_VARIABLES, "http://api.groq.com/openai/v1", "groq", "http://api.groq.com/openai/v1/models"),
    (OPENAI_VARIABLES, "http://api.mistral.ai/v1", "mistral", "http://api.mistral.ai/v1/models"),
    (OPENAI_VARIABLES, "http://api.together.ai/v1", "together", "http://api.together.ai/v1/models"),
    (
        OPENAI_VARIABLES,
        "http://api.fireworks.ai/inference/v1",
        "fireworks",
        "http://api.fireworks.ai/inference/v1/models",
    ),
    (OPENAI_VARIABLES, "http://api.perplexity.ai", "perplexity", "http://api.perplexity.ai/v1/async/sonar"),
    (OPENAI_VARIABLES, "http://api.cohere.ai/compatibility/v1", "cohere", "http://api.cohere.ai/v1/check-api-key"),
    (OPENAI_VARIABLES, "http://api.anthropic.com/v1/", "anthropic", "http://api.anthropic.com/v1/models"),
    (
        OPENAI_VARIABLES,
        "http://generativelanguage.googleapis.com/v1beta/openai/",
        "gemini",
        "http://generativelanguage.googleapis.com/v1beta/models",
    ),
    (
        OPENAI_VARIABLES,
        "http://acme.openai.azure.com/openai/v1/",
        "azure_openai",
        f"http://acme.openai.azure.com{AZURE}",
    ),
    (
        OPENAI_VARIABLES,
        "http://acme.services.ai.azure.com/openai/v1",
        "azure_openai",
        f"http://acme.services.ai.azure.com{AZURE}",
    ),
    (
        OPENAI_VARIABLES,
        "http://api.eu.residency.elevenlabs.io",
        "elevenlabs",
        "http://api.eu.residency.elevenlabs.io/v1/user",
    ),
    (OPENAI_VARIABLES, "http://api.replicate.com/v1", "replicate", "http://api.replicate.com/v1/account"),
    (OPENAI_VARIABLES, "http://api.voyageai.com/v1", "voyage", "http://api.voyageai.com/v1/files"),
    (
        OPENAI_VARIABLES,
        "http://bedrock.eu-west-1.amazonaws.com",
        "bedrock",
        "http://bedrock.eu-west-1.amazonaws.com/foundation-models",
    ),
    (("GROQ_API_KEY", "GROQ_BASE_URL"), "http://openrouter.ai/api", "openrouter", "http://openrouter.ai/api/v1/key"),
    (OPENAI_VARIABLES, "http://eu.api.openai.com/v1", "openai", "http://eu.api.openai.com/v1/models"),
    (OPENAI_VARIABLES, "http://huggingface.co/v1", "huggingface", "http://huggingface.co/api/whoami-v2"),
]


@pytest.mark.parametrize(("variables", "url", "owner", "asked"), ROUTES, ids=[f"{row[2]}-{row[1]}" for row in ROUTES])
@pytest.mark.parametrize("is_real", [True, False])
def test_base_url_of_a_provider_is_asked_as_that_provider(
    result, monkeypatch, internet, variables, url, owner, asked, is_real
) -> None:
    """Its list of models may be public: only its own authenticated request shows a key to be real."""
    key = key_of(PROVIDERS[owner], RNG)
    good = next(answer.body for answer in ANSWERS[owner] if answer.verdict is Verdict.REAL)
    net = internet(asked, BEARER_OR_OWN.get(owner, "authorization"), key if is_real else "another", good)
    monkeypatch.setenv(variables[0], key)
    monkeypatch.setenv(variables[1], url)
    declared = next(provider for provider in PROVIDERS.values() if variables[1] in provider.base_url_variables)
    told = result(AIProviderKey(declared.name))
    assert set(net.asked) == {asked}
    evidence = told.problem.evidence if told.problem else told.evidence
    assert evidence.get("asked_as", declared.name) == owner
    assert (told.status is Status.HEALTHY) is is_real, told
    assert key not in repr(told)


def test_token_of_azures_directory_is_sent_as_a_bearer_token(result, monkeypatch, internet) -> None:
    token = f"eyJ{'0eXAiOiJKV1Q' * 4}.{'8fJ2kQ91xZpL0vTq' * 4}.{'WqT0vLpZx19Qk2Jf' * 4}"
    asked = f"http://acme.openai.azure.com{AZURE}"
    net = internet(asked, "authorization", token, MODELS)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://acme.openai.azure.com/openai/v1/")
    monkeypatch.setenv("OPENAI_API_KEY", token)
    assert result(AIProviderKey("openai")).problem.code == "key_format"
    assert net.asked == [asked]


def test_placeholder_at_openrouter_is_told_without_asking(result, monkeypatch, internet) -> None:
    net = internet("nowhere", "authorization", "", None)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://openrouter.ai/api/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "your-api-key-here")
    told = result(AIProviderKey("openai"))
    assert (told.status, told.problem.code) == (Status.UNHEALTHY, "key_placeholder")
    assert net.asked == []


def test_key_of_openai_at_openrouter_is_another_providers(result, monkeypatch, internet) -> None:
    net = internet("nowhere", "authorization", "", None)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://openrouter.ai/api/v1")
    monkeypatch.setenv("OPENAI_API_KEY", openai_key())
    told = result(AIProviderKey("openai"))
    assert told.problem.code == "key_wrong_provider"
    assert "OPENAI_BASE_URL" in told.problem.hint
    assert net.asked == []


@pytest.mark.parametrize("is_gateway", [True, False])
def test_declared_base_url_of_a_provider_is_asked_as_that_provider(result, monkeypatch, internet, is_gateway) -> None:
    key = key_of(PROVIDERS["openrouter"], RNG)
    asked = "http://openrouter.ai/api/v1/key"
    good = next(answer.body for answer in ANSWERS["openrouter"] if answer.verdict is Verdict.REAL)
    net = internet(asked, "authorization", key, good)
    monkeypatch.setenv("ROUTER_KEY", key)
    router = Provider(
        name="router", variables=("ROUTER_KEY",), base_url="http://openrouter.ai/api/v1", is_gateway=is_gateway
    )
    assert result(AIProviderKey(router)).status is Status.HEALTHY
    assert net.asked == [asked]
    monkeypatch.setenv("ROUTER_KEY", "sk-or-v1-" + "0f" * 32)
    assert result(AIProviderKey(router)).status is Status.UNHEALTHY


@pytest.mark.parametrize(
    "url",
    [
        "http://openrouter.ai.example.com/api/v1",
        "http://notopenrouter.ai/api/v1",
        "http://example.com/openrouter.ai/api/v1",
        "http://openrouter.ai@example.com/api/v1",
        "http://example.com#openrouter.ai",
        "http://xapi.openai.com.example/v1",
    ],
)
def test_host_that_only_looks_like_a_providers_is_not_asked_as_it(result, monkeypatch, internet, url) -> None:
    net = internet("nowhere", "authorization", "", None)
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_API_KEY", "gw-8fJ2kQ91xZpL0vTqWm4Rt")
    told = result(AIProviderKey("openai"))
    assert told.status is Status.DEGRADED
    assert not [asked for asked in net.asked if asked.endswith("/key")]


# Any other server.


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


def serve(server: HTTPServer, key: str, answer: Callable[[Received], Response]) -> None:
    """Let ``server`` list models for ``key``, and answer anybody else this way."""

    def respond(request: Received) -> Response:
        is_key = any(key in line for _, line in request.headers)
        return Response(json.dumps(MODELS), content_type="application/json") if is_key else answer(request)

    server.expect_request(re.compile(".*")).respond_with_handler(respond)


@pytest.fixture
def openai_gateway(httpserver, monkeypatch) -> Callable[..., str]:
    """Serve as OpenAI's gateway; returns the key that it knows."""

    def start(answer: Callable[[Received], Response], key: str = "virtual-8fJ2kQ91xZpL0vTq") -> str:
        httpserver.clear()
        serve(httpserver, key, answer)
        monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
        monkeypatch.setenv("OPENAI_API_KEY", key)
        return key

    return start


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


# How often, and for how long.


def run(check: AIProviderKey | CredentialExchange) -> CheckResult:
    """Run it as a probe does, which may go by what is remembered."""
    return result_of(source_of(check), 30.0)


@pytest.mark.parametrize("is_open", [True, False])
def test_random_key_is_sent_once_a_ttl_whatever_number_of_keys(monkeypatch, gateway, is_open) -> None:
    gateway.is_open = is_open
    keys = [key_of(PROVIDERS["openai"], RNG) for _ in range(3)]
    gateway.keys = set(keys)
    monkeypatch.setenv("OPENAI_BASE_URL", gateway.base_urls["OPENAI_BASE_URL"])
    for _ in range(3):
        for key in keys:
            assert (run(AIProviderKey("openai", key=lambda key=key: key)).status is Status.HEALTHY) is not is_open
    assert len(gateway.received) == 4
    assert len(set(gateway.received) - set(keys)) == 1


def test_random_key_is_sent_once_whatever_the_providers_are_called(monkeypatch, gateway) -> None:
    there = base_url(f"http://127.0.0.1:{gateway.server_port}", "openai")
    monkeypatch.setenv("OWN_KEY", "own-8fJ2kQ91xZpL0vTq")
    for name in ("one", "two", "three"):
        own = Provider(name=name, variables=("OWN_KEY",), base_url=there, is_gateway=True)
        assert run(AIProviderKey(own)).problem.code == "key_unproven"
    assert gateway.received.count("own-8fJ2kQ91xZpL0vTq") == 3
    assert len(gateway.received) == 4


def test_random_key_that_met_trouble_is_not_sent_again_within_the_ttl(openai_gateway, httpserver, monkeypatch) -> None:
    openai_gateway(lambda request: Response("{}", 500))
    for _ in range(3):
        assert run(AIProviderKey("openai")).status is Status.HEALTHY
    assert len(httpserver.log) == 2


@pytest.mark.parametrize("status", [401, 403, 404, 200, 500, 429])
@pytest.mark.parametrize("is_shared", [True, False])
def test_server_that_refuses_a_random_key_gets_no_other_for_a_day(
    openai_gateway, httpserver, settings, status, is_shared
) -> None:
    """It may lock out whoever sends wrong ones. One that does not refuse it is asked again after the ttl."""
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend}, "fleet": {"BACKEND": backend, "LOCATION": f"day-{status}"}}
    key = openai_gateway(lambda request: Response(json.dumps(MODELS), status))
    for _ in range(3):
        run(AIProviderKey("openai", ttl=1, share="fleet" if is_shared else None))
        time.sleep(2.1)
    caches["fleet"].clear()
    about = [key in request.headers["authorization"] for request, _ in httpserver.log]
    assert about.count(True) == 3
    assert (about.count(False) == 1) is (status in {401, 403})


@pytest.mark.parametrize("is_open", [True, False])
def test_fleet_sends_one_random_key(monkeypatch, settings, gateway, is_open) -> None:
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend}, "fleet": {"BACKEND": backend, "LOCATION": "gateway-fleet"}}
    gateway.is_open = is_open
    keys = [key_of(PROVIDERS["openai"], RNG) for _ in range(2)]
    gateway.keys = set(keys)
    monkeypatch.setenv("OPENAI_BASE_URL", gateway.base_urls["OPENAI_BASE_URL"])
    try:
        for _ in range(3):
            for key in keys:
                # Another process, which remembers nothing.
                _memory.forget()
                told = run(AIProviderKey("openai", key=lambda key=key: key, share="fleet"))
                assert told.status is (Status.DEGRADED if is_open else Status.HEALTHY)
        assert len(gateway.received) == 3
        assert len(set(gateway.received) - set(keys)) == 1
    finally:
        caches["fleet"].clear()


@pytest.mark.parametrize("is_open", [True, False])
def test_random_key_has_only_the_time_that_is_left(result, openai_gateway, httpserver, is_open) -> None:
    """And if a server was too slow for two requests in turn, both are sent at once the next time."""
    ended = threading.Event()
    is_slow = [False]

    def answer(request: Received) -> Response:
        if is_slow[0]:
            ended.wait(20)
        return Response(json.dumps(MODELS) if is_open else "{}", 200 if is_open else 401)

    openai_gateway(answer)
    is_slow[0] = True
    began = time.monotonic()
    with ending_in(2):
        told = result(AIProviderKey("openai"))
    assert time.monotonic() - began < 15
    assert (told.status, told.evidence["verdict"]) == (Status.HEALTHY, "accepted")
    is_slow[0] = False
    ended.set()
    told = result(AIProviderKey("openai"))
    assert told.status is (Status.DEGRADED if is_open else Status.HEALTHY)
    assert len(httpserver.log) >= 3


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


# The random key.


FORMS = [form for name in NAMES for form in forms(PROVIDERS[name])]


@pytest.mark.parametrize(("form", "pattern"), FORMS, ids=[form for form, _ in FORMS])
def test_random_key_is_of_the_form_and_kind_of_the_key(form, pattern) -> None:
    provider = PROVIDERS[form.rpartition("-")[0]]
    key = maker(pattern)(RNG)
    samples = {sample_of(provider, key, provider.variables[0]) for _ in range(20)}
    assert len(samples) == 20
    for sample in samples:
        assert provider.has_format(sample)
        assert provider.request_for(sample, None) == provider.request_for(key, None)


def test_random_key_of_an_own_provider_is_asked_about_as_the_key() -> None:
    own = Provider(name="own", base_url="http://x", requests_by_prefix={"adm-": Request("/admin"), "x": Request("/x")})
    assert sample_of(own, "adm-8fJ2kQ91", None).startswith("adm-")
    assert sample_of(own, "k-8fJ2kQ91", None).startswith("sk-")
    assert len(sample_of(dataclasses.replace(own, specimens=()), "k-8fJ2kQ91", None)) == 48
    assert len(sample_of(dataclasses.replace(own, specimens=("fixed",)), "k-8fJ2kQ91", None)) == 48


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
