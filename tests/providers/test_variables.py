"""Keys and base URLs are read from the environment variables of the providers' SDKs."""

from __future__ import annotations

import random
from typing import cast

import pytest
from pytest_httpserver import HTTPServer

from healthguard.checks import AIProviderKey
from healthguard.providers import PROVIDERS
from healthguard.status import Fault, Status
from tests.support.fixture_types import FindProblem, RunCheck
from tests.support.keys import key_of
from tests.support.provider_answers import ANSWERS
from tests.support.provider_servers import GOOD, NAMES, requests_to, respond_to_all, respond_to_key

pytestmark = pytest.mark.usefixtures("no_provider_variables", "no_pause")

RNG = random.Random("test_variables")


@pytest.mark.parametrize("name", NAMES)
def test_variables_of_a_key_are_read_in_order(problem: FindProblem, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    provider = PROVIDERS[name]
    found = problem(AIProviderKey(name, verify=False))
    assert found.code == "key_missing"
    for variable in provider.variables:
        assert variable in found.message
        assert variable in cast("list[str]", found.evidence["variables"])
    assert provider.variables[0] in found.hint
    # From the last to the first: each variable takes precedence over those that are already set.
    for variable in reversed(provider.variables):
        monkeypatch.setenv(variable, "mock")
        found = problem(AIProviderKey(name, verify=False))
        assert (found.code, found.evidence["variable"]) == ("key_placeholder", variable)


@pytest.mark.parametrize("name", NAMES)
def test_empty_variable_hides_the_next_one_as_in_the_sdk(
    problem: FindProblem, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """An empty variable is reported even if the next one is set, except for the SDKs that skip empty variables."""
    provider = PROVIDERS[name]
    monkeypatch.setenv(provider.variables[0], "")
    found = problem(AIProviderKey(name, verify=False))
    assert (found.code, found.evidence["variable"]) == ("key_empty", provider.variables[0])
    assert provider.skips_empty is (name in {"gemini", "huggingface"})
    if len(provider.variables) > 1:
        monkeypatch.setenv(provider.variables[-1], "mock")
        found = problem(AIProviderKey(name, verify=False))
        if provider.skips_empty:
            assert (found.code, found.evidence["variable"]) == ("key_placeholder", provider.variables[-1])
        else:
            assert (found.code, found.evidence["variable"]) == ("key_empty", provider.variables[0])


@pytest.mark.parametrize(
    ("name", "variable"), [(name, variable) for name in NAMES for variable in PROVIDERS[name].base_url_variables]
)
def test_base_url_variable_makes_another_host_a_gateway(
    result: RunCheck, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, name: str, variable: str
) -> None:
    """A gateway issues keys of any format, so only its response counts."""
    provider = PROVIDERS[name]
    monkeypatch.setenv(provider.variables[0], "virtual-key-of-a-gateway")
    respond_to_key(httpserver, GOOD[name], "virtual-key-of-a-gateway")
    monkeypatch.setenv(variable, httpserver.url_for("/some/gateway/"))
    assert result(AIProviderKey(name)).status is Status.HEALTHY
    paths = {request.path for request in requests_to(httpserver)}
    assert len(paths) == 1
    assert next(iter(paths)).startswith("/some/gateway/")
    assert "//" not in next(iter(paths))
    # If the variable contains the provider's own URL, the provider's key formats apply.
    for url in (provider.base_url, provider.base_url + "/", f" {provider.base_url}\n"):
        monkeypatch.setenv(variable, url)
        assert provider.resolve_endpoint().base_url == url.strip()
        assert not provider.resolve_endpoint().is_gateway
    monkeypatch.setenv(variable, "")
    assert provider.resolve_endpoint().base_url == provider.base_url


def test_first_of_two_base_url_variables_takes_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_BASE", "https://old.example/v1")
    assert PROVIDERS["openai"].resolve_endpoint().base_url == "https://old.example/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "https://new.example/v1")
    assert PROVIDERS["openai"].resolve_endpoint().base_url == "https://new.example/v1"


@pytest.mark.parametrize(("name", "variable"), [("azure_openai", "AZURE_OPENAI_ENDPOINT"), ("bedrock", "AWS_REGION")])
def test_missing_part_of_a_base_url_is_reported(
    problem: FindProblem, monkeypatch: pytest.MonkeyPatch, name: str, variable: str
) -> None:
    provider = PROVIDERS[name]
    key = key_of(provider, RNG)
    monkeypatch.setenv(provider.variables[0], key)
    for value in (None, "", " "):
        if value is not None:
            monkeypatch.setenv(variable, value)
        found = problem(AIProviderKey(name))
        assert (found.code, found.fault) == ("base_url_missing", Fault.CONFIG)
        assert variable in found.message
        assert key not in repr(found)


def test_region_is_read_from_two_variables_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert PROVIDERS["bedrock"].resolve_endpoint().base_url == "https://bedrock.us-east-1.amazonaws.com"
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert PROVIDERS["bedrock"].resolve_endpoint().base_url == "https://bedrock.eu-west-1.amazonaws.com"


def test_azure_resource_that_does_not_exist_is_reported_as_down(
    problem: FindProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", key_of(PROVIDERS["azure_openai"], RNG))
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "http://no-such-resource.invalid/")
    found = problem(AIProviderKey("azure_openai"))
    assert found.code == "provider_down"
    assert "no such host name" in found.message


def test_hint_for_a_rejected_azure_key_mentions_the_endpoint(
    problem: FindProblem, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of one Azure resource is rejected at the endpoint of another."""
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", key_of(PROVIDERS["azure_openai"], RNG))
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", httpserver.url_for("/"))
    respond_to_all(httpserver, next(answer for answer in ANSWERS["azure_openai"] if answer.status == 401), "")
    assert "belong together" in problem(AIProviderKey("azure_openai")).hint
