"""A base URL at a host of a known provider is asked as that provider."""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from example_project.deployment import openai_key
from healthguard.checks import AIProviderKey
from healthguard.providers import PROVIDERS, Provider, Verdict
from healthguard.status import Status
from tests.checks.provider_answers import ANSWERS, MODELS
from tests.keys import key_of

pytestmark = pytest.mark.usefixtures("no_keys")

RNG = random.Random(os.urandom(8))
NAMES = sorted(PROVIDERS)
OPENAI_VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
CLAUDE_VARIABLES = ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL")


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


@pytest.mark.parametrize("name", ["router", "openrouter"])
@pytest.mark.parametrize("is_gateway", [True, False])
def test_declared_base_url_of_a_provider_is_asked_as_that_provider(
    result, monkeypatch, internet, name, is_gateway
) -> None:
    key = key_of(PROVIDERS["openrouter"], RNG)
    asked = "http://openrouter.ai/api/v1/key"
    good = next(answer.body for answer in ANSWERS["openrouter"] if answer.verdict is Verdict.REAL)
    net = internet(asked, "authorization", key, good)
    monkeypatch.setenv("ROUTER_KEY", key)
    router = Provider(
        name=name, variables=("ROUTER_KEY",), base_url="http://openrouter.ai/api/v1", is_gateway=is_gateway
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
