"""A key is verified at the service to which the SDK's variables send it, because another service would reject it."""

from __future__ import annotations

import dataclasses
import random

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request as Received
from werkzeug import Response

from healthguard.checks import AIProviderKey, CredentialExchange
from healthguard.providers import PROVIDERS, Provider, Switch
from healthguard.providers.routing import route_of
from healthguard.providers.verdict_cache import _cache
from healthguard.status import Status
from tests.support.fixture_types import RunCheck
from tests.support.keys import key_of, maker
from tests.support.results import problem_of

RNG = random.Random("switches")


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the keys, base URLs and switches of this machine from the environment, and clear the cache of verdicts."""
    for provider in PROVIDERS.values():
        names = (*provider.variables, *provider.endpoint_variables, *(switch.variable for switch in provider.switches))
        for name in (*names, "AZURE_OPENAI_ENDPOINT", "AWS_REGION"):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    _cache.clear()


@pytest.fixture
def rejecting_server(httpserver: HTTPServer) -> HTTPServer:
    """A service that rejects every key."""
    httpserver.clear()
    return httpserver


ELSEWHERE = [("gemini", "GOOGLE_GENAI_USE_VERTEXAI", value) for value in ("true", "True", "TRUE", "1", " true ")] + [
    ("gemini", "GOOGLE_GENAI_USE_ENTERPRISE", "true"),
    ("anthropic", "CLAUDE_CODE_USE_BEDROCK", "1"),
    ("anthropic", "CLAUDE_CODE_USE_VERTEX", "1"),
    ("anthropic", "CLAUDE_CODE_USE_FOUNDRY", "true"),
    ("huggingface", "HF_HUB_OFFLINE", "1"),
    ("huggingface", "TRANSFORMERS_OFFLINE", "YES"),
    ("bedrock", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "https://vpce-1.bedrock-runtime.eu-west-1.vpce.amazonaws.com"),
]


@pytest.mark.parametrize(("name", "variable", "value"), ELSEWHERE)
def test_key_for_another_service_is_checked_without_a_request(
    result: RunCheck,
    monkeypatch: pytest.MonkeyPatch,
    rejecting_server: HTTPServer,
    name: str,
    variable: str,
    value: str,
) -> None:
    provider = dataclasses.replace(
        PROVIDERS[name], base_url=rejecting_server.url_for("").rstrip("/"), base_url_variables=()
    )
    for key, status, code in (
        (key_of(PROVIDERS[name], RNG), Status.HEALTHY, None),
        ("your-api-key-here", Status.UNHEALTHY, "key_placeholder"),
        ("8fJ2kQ91xZpL0vTqWm4RtYbN7hGs3dEa-8fJ2kQ91xZpL0vT", Status.DEGRADED, "key_format"),
    ):
        monkeypatch.setenv(provider.variables[0], key)
        monkeypatch.setenv(variable, value)
        outcome = result(AIProviderKey(provider))
        assert (outcome.status, outcome.problem and outcome.problem.code) == (status, code)
        assert key not in repr(outcome)
    assert rejecting_server.log == []


def test_evidence_names_the_switch(result: RunCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_API_KEY", "AQ.Ab8RN6" + maker(r"[\w-]{44}")(RNG))
    outcome = result(AIProviderKey("gemini"))
    assert (outcome.status, outcome.evidence["not_asked"]) == (Status.HEALTHY, "GOOGLE_GENAI_USE_VERTEXAI")


@pytest.mark.parametrize("value", ["false", "0", "", "no", "off"])
def test_switch_that_is_off_changes_nothing(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, rejecting_server: HTTPServer, value: str
) -> None:
    provider = dataclasses.replace(PROVIDERS["gemini"], base_url=rejecting_server.url_for("").rstrip("/"))
    error = {"error": {"details": [{"reason": "API_KEY_INVALID"}]}}
    rejecting_server.expect_request("/v1beta/models").respond_with_json(error, 400)
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", value)
    monkeypatch.setenv("GOOGLE_API_KEY", key_of(PROVIDERS["gemini"], RNG))
    assert problem_of(result(AIProviderKey(provider))).code == "key_rejected"


AZURE_KEY = key_of(PROVIDERS["azure_openai"], RNG)
OPENAI_KEY = key_of(PROVIDERS["openai"], RNG)
AZURE_URL = "https://acme.openai.azure.com"


@pytest.mark.parametrize(
    ("environment", "key", "name", "base_url"),
    [
        ({"OPENAI_API_TYPE": "azure", "OPENAI_API_BASE": AZURE_URL}, AZURE_KEY, "azure_openai", AZURE_URL),
        ({"OPENAI_API_TYPE": "azure", "AZURE_OPENAI_ENDPOINT": AZURE_URL}, AZURE_KEY, "azure_openai", AZURE_URL),
        ({"OPENAI_API_TYPE": "Azure", "OPENAI_BASE_URL": f"{AZURE_URL}/"}, AZURE_KEY, "azure_openai", f"{AZURE_URL}/"),
        ({"AZURE_OPENAI_ENDPOINT": AZURE_URL}, AZURE_KEY, "azure_openai", AZURE_URL),
        ({"AZURE_OPENAI_ENDPOINT": AZURE_URL}, OPENAI_KEY, "openai", "https://api.openai.com/v1"),
        ({"OPENAI_API_TYPE": "azure"}, OPENAI_KEY, "openai", "https://api.openai.com/v1"),
        ({"OPENAI_API_TYPE": "openai"}, AZURE_KEY, "openai", "https://api.openai.com/v1"),
        (
            {"AZURE_OPENAI_ENDPOINT": AZURE_URL, "OPENAI_BASE_URL": "https://llm.internal/v1"},
            AZURE_KEY,
            "openai",
            "https://llm.internal/v1",
        ),
    ],
)
def test_key_in_openais_variable_is_verified_where_the_sdk_sends_it(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], key: str, name: str, base_url: str
) -> None:
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    route = route_of(PROVIDERS["openai"], key)
    assert (route.provider.name, route.endpoint.base_url, route.switch) == (name, base_url, None)


@pytest.mark.parametrize(
    "environment", [{"OPENAI_API_TYPE": "azure"}, {"OPENAI_API_TYPE": "azure_ad"}, {"OPENAI_API_TYPE": "azuread"}]
)
def test_no_request_is_sent_if_the_endpoint_of_azure_is_not_in_the_environment(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    """A key of Azure has a known format. A token of its directory has none, so it is reported as unusual."""
    monkeypatch.setenv("OPENAI_API_KEY", AZURE_KEY)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert route_of(PROVIDERS["openai"], AZURE_KEY).switch == "OPENAI_API_TYPE"
    outcome = result(AIProviderKey("openai"))
    assert outcome.status is (Status.HEALTHY if environment["OPENAI_API_TYPE"] == "azure" else Status.DEGRADED)


def test_endpoint_of_azure_is_read_from_openais_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_TYPE", "azure")
    monkeypatch.setenv("OPENAI_API_BASE", AZURE_URL)
    route = route_of(PROVIDERS["azure_openai"], AZURE_KEY)
    assert (route.endpoint.base_url, route.endpoint.missing, route.endpoint.can_prove_keys) == (AZURE_URL, (), True)


@pytest.mark.parametrize("is_known", [True, False])
def test_azure_key_in_openais_variable_is_verified_at_azure(
    result: RunCheck, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    def respond(request: Received) -> Response:
        is_valid = request.headers.get("api-key") == AZURE_KEY and is_known
        return Response('{"data": []}' if is_valid else "{}", 200 if is_valid else 401)

    httpserver.expect_request("/openai/models").respond_with_handler(respond)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", httpserver.url_for(""))
    monkeypatch.setenv("OPENAI_API_KEY", AZURE_KEY)
    outcome = result(AIProviderKey("openai"))
    assert outcome.status is (Status.HEALTHY if is_known else Status.UNHEALTHY)
    if outcome.problem:
        assert outcome.problem.code == "key_rejected"
        assert "Azure" in outcome.problem.message


@pytest.mark.parametrize(
    ("environment", "base_url"),
    [
        ({}, "https://bedrock.eu-west-1.amazonaws.com"),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "https://bedrock-fips.eu-west-1.amazonaws.com"),
        ({"AWS_ENDPOINT_URL": "http://localstack:4566"}, "http://localstack:4566"),
        ({"AWS_ENDPOINT_URL_BEDROCK": "http://a", "AWS_ENDPOINT_URL": "http://b"}, "http://a"),
        (
            {"AWS_ENDPOINT_URL": "http://b", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            "https://bedrock.eu-west-1.amazonaws.com",
        ),
    ],
)
def test_bedrock_is_verified_at_the_endpoint_of_the_sdk(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], base_url: str
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert route_of(PROVIDERS["bedrock"], key_of(PROVIDERS["bedrock"], RNG)).endpoint.base_url == base_url


def test_variable_of_replicates_older_client_sets_the_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICATE_API_BASE_URL", "https://replicate.internal")
    route = route_of(PROVIDERS["replicate"], key_of(PROVIDERS["replicate"], RNG))
    assert (route.endpoint.base_url, route.endpoint.can_prove_keys) == ("https://replicate.internal/v1", False)


@pytest.mark.parametrize(
    ("host", "base_url"),
    [
        ("bedrock-runtime.us-west-2.amazonaws.com/openai/v1", "https://bedrock.us-west-2.amazonaws.com"),
        ("bedrock-runtime-fips.us-west-2.amazonaws.com/openai/v1", "https://bedrock.us-west-2.amazonaws.com"),
        ("bedrock-mantle.us-east-1.api.aws/v1", "https://bedrock.us-east-1.amazonaws.com"),
    ],
)
def test_bedrock_key_in_openais_sdk_is_verified_at_bedrock(
    monkeypatch: pytest.MonkeyPatch, host: str, base_url: str
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"https://{host}")
    route = route_of(PROVIDERS["openai"], key_of(PROVIDERS["bedrock"], RNG))
    assert (route.provider.name, route.endpoint.base_url) == ("bedrock", base_url)


@pytest.mark.parametrize("url", ["https://router.huggingface.co/v1", "https://hf.co"])
def test_key_for_the_router_of_hugging_face_is_verified_at_the_hub(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    route = route_of(PROVIDERS["openai"], key_of(PROVIDERS["huggingface"], RNG))
    assert (route.provider.name, route.endpoint.base_url) == ("huggingface", "https://huggingface.co")


def test_vended_key_for_another_service_is_not_verified(
    result: RunCheck, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = dataclasses.replace(PROVIDERS["gemini"], base_url=httpserver.url_for("").rstrip("/"))
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    entry = {"credentials": {"gemini": key_of(PROVIDERS["gemini"], RNG)}}
    httpserver.expect_request("/exchange").respond_with_json(entry)
    outcome = result(CredentialExchange(httpserver.url_for("/exchange"), [provider], verify=True))
    assert outcome.problem is None
    assert len(httpserver.log) == 1


def test_own_provider_can_declare_switches(result: RunCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Provider(
        name="own", variables=("OWN_KEY",), base_url="http://127.0.0.1:1", switches=(Switch("OWN_OFFLINE", "yes"),)
    )
    monkeypatch.setenv("OWN_KEY", "own-8fJ2kQ91xZpL0vTq")
    assert problem_of(result(AIProviderKey(own))).code == "provider_down"
    monkeypatch.setenv("OWN_OFFLINE", "yes")
    assert result(AIProviderKey(own)).status is Status.HEALTHY
