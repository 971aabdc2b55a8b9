"""A key whose base URL is at a host of another provider is verified as a key of that provider."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from example_project.deployment import openai_key
from healthguard.checks import AIProviderKey
from healthguard.providers import PROVIDERS, Provider, Verdict
from healthguard.providers.hosts import provider_at
from healthguard.status import Status
from tests.support.fixture_types import RunCheck
from tests.support.keys import key_of
from tests.support.provider_answers import ANSWERS, MODELS
from tests.support.results import problem_of

pytestmark = pytest.mark.usefixtures("no_keys")

RNG = random.Random("test_hosts")
NAMES = sorted(PROVIDERS)
OPENAI_VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
CLAUDE_VARIABLES = ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL")


class Internet(ThreadingHTTPServer):
    """A proxy that responds as one provider at ``url``, and at any other URL with a public list of models.

    Args:
        url: the URL of the provider's own request.
        header: the header that holds the key.
        key: the valid key.
        body: the response body for that key.
    """

    daemon_threads = True

    def __init__(self, url: str, header: str, key: str, body: object) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.own_url, self.header, self.key, self.body = url, header.lower(), key, body
        self.urls: list[str] = []
        """The requested URLs."""
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: Internet

    def do_GET(self) -> None:
        self.server.urls.append(self.path)
        if self.path != self.server.own_url:
            self._send(200, MODELS)
        elif self.headers.get(self.server.header, "").removeprefix("Bearer ") == self.server.key:
            self._send(200, self.server.body)
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


StartInternet = Callable[..., Internet]
"""``start_internet(url, header, key, body)`` starts the proxy and sets it in the environment."""


@pytest.fixture
def start_internet(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartInternet]:
    """Return a function that starts a proxy, which is stopped after the test."""
    servers: list[Internet] = []

    def start(url: str, header: str, key: str, body: object) -> Internet:
        servers.append(Internet(url, header, key, body))
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{servers[-1].server_port}")
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


OWN_HEADERS = {
    "anthropic": "x-api-key",
    "azure_openai": "api-key",
    "gemini": "x-goog-api-key",
    "elevenlabs": "xi-api-key",
}
"""The headers that contain the key, of the providers that use no bearer token."""
AZURE = "/openai/models?api-version=2024-10-21"
ROUTES: list[tuple[tuple[str, str], str, str, str]] = [
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
"""The variables of the key and of the base URL, the base URL, the provider at its host, and that provider's URL."""


@pytest.mark.parametrize(
    ("variables", "url", "owner", "requested"), ROUTES, ids=[f"{row[2]}-{row[1]}" for row in ROUTES]
)
@pytest.mark.parametrize("is_real", [True, False])
def test_key_is_verified_as_one_of_the_provider_at_the_base_url(
    result: RunCheck,
    monkeypatch: pytest.MonkeyPatch,
    start_internet: StartInternet,
    variables: tuple[str, str],
    url: str,
    owner: str,
    requested: str,
    is_real: bool,
) -> None:
    """Only the provider's authenticated request proves that a key is real, because its list of models may be public."""
    key = key_of(PROVIDERS[owner], RNG)
    good = next(answer.body for answer in ANSWERS[owner] if answer.verdict is Verdict.VALID)
    server = start_internet(requested, OWN_HEADERS.get(owner, "authorization"), key if is_real else "another", good)
    monkeypatch.setenv(variables[0], key)
    monkeypatch.setenv(variables[1], url)
    declared = next(provider for provider in PROVIDERS.values() if variables[1] in provider.base_url_variables)
    outcome = result(AIProviderKey(declared.name))
    assert set(server.urls) == {requested}
    evidence = outcome.problem.evidence if outcome.problem else outcome.evidence
    assert evidence.get("asked_as", declared.name) == owner
    assert (outcome.status is Status.HEALTHY) is is_real, outcome
    assert key not in repr(outcome)


def test_token_of_azures_directory_is_sent_as_a_bearer_token(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, start_internet: StartInternet
) -> None:
    token = f"eyJ{'0eXAiOiJKV1Q' * 4}.{'8fJ2kQ91xZpL0vTq' * 4}.{'WqT0vLpZx19Qk2Jf' * 4}"
    url = f"http://acme.openai.azure.com{AZURE}"
    server = start_internet(url, "authorization", token, MODELS)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://acme.openai.azure.com/openai/v1/")
    monkeypatch.setenv("OPENAI_API_KEY", token)
    assert problem_of(result(AIProviderKey("openai"))).code == "key_format"
    assert server.urls == [url]


def test_placeholder_at_openrouter_is_reported_without_a_request(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, start_internet: StartInternet
) -> None:
    server = start_internet("nowhere", "authorization", "", None)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://openrouter.ai/api/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "your-api-key-here")
    outcome = result(AIProviderKey("openai"))
    assert (outcome.status, problem_of(outcome).code) == (Status.UNHEALTHY, "key_placeholder")
    assert server.urls == []


def test_key_of_openai_at_openrouter_is_reported(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, start_internet: StartInternet
) -> None:
    server = start_internet("nowhere", "authorization", "", None)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://openrouter.ai/api/v1")
    monkeypatch.setenv("OPENAI_API_KEY", openai_key())
    outcome = result(AIProviderKey("openai"))
    assert problem_of(outcome).code == "key_wrong_provider"
    assert "OPENAI_BASE_URL" in problem_of(outcome).hint
    assert server.urls == []


@pytest.mark.parametrize("name", ["router", "openrouter"])
@pytest.mark.parametrize("is_gateway", [True, False])
def test_declared_base_url_of_a_provider_is_verified_as_that_provider(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, start_internet: StartInternet, name: str, is_gateway: bool
) -> None:
    key = key_of(PROVIDERS["openrouter"], RNG)
    url = "http://openrouter.ai/api/v1/key"
    good = next(answer.body for answer in ANSWERS["openrouter"] if answer.verdict is Verdict.VALID)
    server = start_internet(url, "authorization", key, good)
    monkeypatch.setenv("ROUTER_KEY", key)
    router = Provider(
        name=name, variables=("ROUTER_KEY",), base_url="http://openrouter.ai/api/v1", is_gateway=is_gateway
    )
    assert result(AIProviderKey(router)).status is Status.HEALTHY
    assert server.urls == [url]
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
def test_host_with_a_similar_name_is_not_verified_as_the_provider(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, start_internet: StartInternet, url: str
) -> None:
    server = start_internet("nowhere", "authorization", "", None)
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_API_KEY", "gw-8fJ2kQ91xZpL0vTqWm4Rt")
    outcome = result(AIProviderKey("openai"))
    assert outcome.status is Status.DEGRADED
    assert not [requested for requested in server.urls if requested.endswith("/key")]


def test_host_that_is_too_long_for_dns_belongs_to_no_provider() -> None:
    """The time for comparing a host grows faster than its length."""
    longest = "a." * 118 + "api.anthropic.com"
    assert len(longest) == 253
    assert provider_at(f"https://{longest}") is not None
    assert provider_at(f"https://a.{longest}") is None
