"""Each provider of the catalog sends the documented request, and its responses have the documented meaning."""

from __future__ import annotations

import dataclasses
import random
from typing import Any
from urllib.parse import urlsplit

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request as Received

from healthguard import __version__
from healthguard.checks import AIProviderKey
from healthguard.providers import PROVIDERS, Verdict
from healthguard.status import Fault, Status
from tests.support.fixture_types import RunCheck
from tests.support.keys import key_of, maker
from tests.support.provider_answers import ANSWERS, ANYBODYS, Answer
from tests.support.provider_servers import GOOD, NAMES, at_server, requests_to, respond_to_all

pytestmark = pytest.mark.usefixtures("no_provider_variables", "no_pause")

MEANS: dict[Verdict, tuple[str | None, Status, Fault | None]] = {
    Verdict.VALID: (None, Status.HEALTHY, None),
    Verdict.RESTRICTED: ("key_restricted", Status.DEGRADED, Fault.CONFIG),
    Verdict.NO_FUNDS: ("key_no_funds", Status.DEGRADED, Fault.CONFIG),
    Verdict.REJECTED: ("key_rejected", Status.UNHEALTHY, Fault.CONFIG),
    Verdict.RATE_LIMITED: ("provider_rate_limited", Status.DEGRADED, Fault.OUTAGE),
    Verdict.UNKNOWN: ("provider_inconclusive", Status.DEGRADED, Fault.OUTAGE),
    Verdict.DOWN: ("provider_down", Status.DEGRADED, Fault.OUTAGE),
}
"""The code, the status and the fault that a check reports for each verdict."""
BEARER = ("Authorization", "Bearer {key}")
ASKED: dict[str, tuple[str, str, str, str]] = {
    "anthropic": ("GET", "https://api.anthropic.com/v1/models", "x-api-key", "{key}"),
    "openai": ("GET", "https://api.openai.com/v1/models", *BEARER),
    "azure_openai": (
        "GET",
        "https://acme.openai.azure.com/openai/models?api-version=2024-10-21",
        "api-key",
        "{key}",
    ),
    "gemini": ("GET", "https://generativelanguage.googleapis.com/v1beta/models", "x-goog-api-key", "{key}"),
    "mistral": ("GET", "https://api.mistral.ai/v1/models", *BEARER),
    "cohere": ("POST", "https://api.cohere.com/v1/check-api-key", *BEARER),
    "groq": ("GET", "https://api.groq.com/openai/v1/models", *BEARER),
    "deepseek": ("GET", "https://api.deepseek.com/user/balance", *BEARER),
    "xai": ("GET", "https://api.x.ai/v1/api-key", *BEARER),
    "openrouter": ("GET", "https://openrouter.ai/api/v1/key", *BEARER),
    "together": ("GET", "https://api.together.xyz/v1/models", *BEARER),
    "fireworks": ("GET", "https://api.fireworks.ai/inference/v1/models", *BEARER),
    "perplexity": ("GET", "https://api.perplexity.ai/v1/async/sonar", *BEARER),
    "huggingface": ("GET", "https://huggingface.co/api/whoami-v2", *BEARER),
    "replicate": ("GET", "https://api.replicate.com/v1/account", *BEARER),
    "bedrock": ("GET", "https://bedrock.eu-west-1.amazonaws.com/foundation-models", *BEARER),
    "voyage": ("GET", "https://api.voyageai.com/v1/files", *BEARER),
    "elevenlabs": ("GET", "https://api.elevenlabs.io/v1/user", "xi-api-key", "{key}"),
}
"""The method, the URL and the header of each provider's request, from its documentation and not from the catalog."""
CASES = [(name, answer) for name in NAMES for answer in (*ANSWERS[name], *ANYBODYS)]
BASE_URL_PARTS = {"AZURE_OPENAI_ENDPOINT": "https://acme.openai.azure.com/", "AWS_REGION": "eu-west-1"}
RNG = random.Random("test_catalog")


def test_there_is_an_answer_of_every_kind_for_every_provider() -> None:
    assert list(ANSWERS) == list(ASKED) == list(PROVIDERS)
    assert len(CASES) > 250
    for name in NAMES:
        verdicts = {answer.verdict for answer in (*ANSWERS[name], *ANYBODYS)}
        # The response of Bedrock to a wrong key is the same as to a wrong region.
        missing = {Verdict.REJECTED} if name == "bedrock" else set()
        assert verdicts >= set(MEANS) - {Verdict.RESTRICTED} - missing, name


@pytest.mark.parametrize(("name", "answer"), CASES, ids=[f"{name}-{answer.label}" for name, answer in CASES])
def test_what_an_answer_means(
    result: RunCheck, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, name: str, answer: Answer
) -> None:
    """Each response leads to its verdict, and the key is sent as documented and not shown."""
    provider = PROVIDERS[name]
    key = key_of(provider, RNG)
    monkeypatch.setenv(provider.variables[0], key)
    respond_to_all(httpserver, answer, key)
    check = AIProviderKey(at_server(provider, httpserver, monkeypatch))
    outcome = result(check)
    code, status, fault = MEANS[answer.verdict]
    found = outcome.problem
    assert (found and found.code, outcome.status, found and found.fault) == (code, status, fault)
    assert key not in repr(outcome)
    evidence = found.evidence if found else outcome.evidence
    assert (evidence["provider"], evidence["verdict"]) == (name, answer.verdict)
    received = requests_to(httpserver)
    # A rejection that does not refer to the key counts from the second response on. A redirect is not followed.
    count = 2 if answer.verdict is Verdict.REJECTED and answer.requests == 2 else 1
    assert len(received) == count
    for request in received:
        assert_is_documented(request, name, key)
    if answer.headers.get("Retry-After", "soon") != "soon":
        assert result(check).problem == found
        assert len(requests_to(httpserver)) == count, "the provider requested a pause"


def assert_is_documented(request: Received, name: str, key: str) -> None:
    """Assert that the request is the documented one, and that it contains the key once."""
    method, url, header, line = ASKED[name]
    expected = urlsplit(url)
    assert (request.method, request.path, request.query_string.decode()) == (method, expected.path, expected.query)
    assert request.headers[header] == line.format(key=key)
    assert request.headers["User-Agent"] == f"healthguard/{__version__}"
    texts = [request.url, request.get_data(as_text=True), *(line for _, line in request.headers)]
    assert sum(text.count(key) for text in texts) == 1
    if name == "anthropic":
        assert request.headers["anthropic-version"] == "2023-06-01"


@pytest.mark.parametrize("name", NAMES)
def test_request_goes_to_the_documented_url(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for variable, value in BASE_URL_PARTS.items():
        monkeypatch.setenv(variable, value)
    provider = PROVIDERS[name]
    endpoint = provider.resolve_endpoint()
    request = provider.request_for(key_of(provider, RNG), provider.variables[0])
    assert endpoint.base_url.rstrip("/") + request.path == ASKED[name][1]
    assert (endpoint.is_gateway, endpoint.missing) == (False, ())


def test_voyage_keys_of_mongodb_atlas_are_verified_at_atlas(
    result: RunCheck, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    voyage = PROVIDERS["voyage"]
    (prefix, request) = next(iter(voyage.requests_by_prefix.items()))
    assert (prefix, request.base_url, request.path) == ("al-", "https://ai.mongodb.com/v1", "/files")
    moved = dataclasses.replace(request, base_url=httpserver.url_for("/atlas"))
    provider = dataclasses.replace(at_server(voyage, httpserver, monkeypatch), requests_by_prefix={"al-": moved})
    respond_to_all(httpserver, GOOD["voyage"], "")
    for key_prefix, path in (("al-", "/atlas/files"), ("pa-", "/v1/files")):
        monkeypatch.setenv("VOYAGE_API_KEY", key_prefix + key_of(voyage, RNG)[3:])
        assert result(AIProviderKey(provider)).status is Status.HEALTHY
        assert requests_to(httpserver)[-1].path == path


@pytest.mark.parametrize(
    ("name", "variable", "key", "path", "headers", "body"),
    [
        (
            "anthropic",
            "ANTHROPIC_API_KEY",
            "sk-ant-admin01-{93}AA",
            "/v1/organizations/me",
            {"x-api-key": "{key}", "anthropic-version": "2023-06-01"},
            {"id": "12345678-1234", "type": "organization", "name": "Acme"},
        ),
        (
            "anthropic",
            "ANTHROPIC_API_KEY",
            "sk-ant-oat01-{93}AA",
            "/v1/models",
            {"authorization": "Bearer {key}", "anthropic-beta": "oauth-2025-04-20"},
            {"data": []},
        ),
        (
            "anthropic",
            "ANTHROPIC_AUTH_TOKEN",
            "sk-ant-api03-{93}AA",
            "/v1/models",
            {"authorization": "Bearer {key}", "anthropic-version": "2023-06-01"},
            {"data": []},
        ),
        (
            "openai",
            "OPENAI_ADMIN_KEY",
            "sk-admin-{58}T3BlbkFJ{58}",
            "/v1/organization/admin_api_keys",
            {"authorization": "Bearer {key}"},
            {"object": "list", "data": []},
        ),
    ],
)
def test_key_of_another_kind_is_verified_with_its_own_request(
    result: RunCheck,
    httpserver: HTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    variable: str,
    key: str,
    path: str,
    headers: dict[str, str],
    body: dict[str, Any],
) -> None:
    for length in (93, 58):
        key = key.replace(f"{{{length}}}", maker(rf"[\w-]{{{length}}}")(RNG))
    monkeypatch.setenv(variable, key)
    respond_to_all(httpserver, Answer(Verdict.VALID, 200, body), key)
    outcome = result(AIProviderKey(at_server(PROVIDERS[name], httpserver, monkeypatch)))
    assert outcome.status is Status.HEALTHY, outcome.problem
    (request,) = requests_to(httpserver)
    assert request.path == path
    assert {header: request.headers.get(header) for header in headers} == {
        header: line.format(key=key) for header, line in headers.items()
    }
    assert sum(line.count(key) for _, line in request.headers) == 1
