"""A flaw in the declaration of a Provider is reported by name before a key is sent anywhere."""

from __future__ import annotations

import dataclasses
import datetime
import re
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from example_project.deployment import anthropic_key, openai_key
from healthguard.checks import AIProviderKey, CredentialExchange
from healthguard.providers import (
    BEARER,
    PROVIDERS,
    Provider,
    ResponseRule,
    Switch,
    Verdict,
    VerificationRequest,
)
from healthguard.providers.declaration import provider_flaws
from healthguard.service import declaration_errors, source_of
from healthguard.status import Status
from tests.support.fixture_types import FindProblem, RunCheck
from tests.support.results import problem_of


def gateway(**changes: Any) -> Provider:
    """Return a gateway with changed fields."""
    declared: dict[str, Any] = {"name": "gateway", "variables": ("GATEWAY_KEY",), "base_url": "https://llm.internal/v1"}
    return Provider(**declared | changes)


FLAWS: list[tuple[dict[str, Any], str]] = [
    ({"name": None}, "name"),
    ({"name": "sk-proj-8fJ2kQ91xZpL0vTq8fJ2kQ91"}, "name"),
    ({"name": "two words"}, "name"),
    ({"variables": "GATEWAY_KEY"}, "variables"),
    ({"variables": (None,)}, "variables"),
    ({"variables": ("GATEWAY-KEY",)}, "variables"),
    ({"base_url_variables": "GATEWAY_URL"}, "base_url_variables"),
    ({"base_url": None}, "base_url"),
    ({"base_url": "llm.internal/v1"}, "base_url"),
    ({"base_url": "ftp://llm.internal"}, "base_url"),
    ({"base_url": "http://llm.internal:99999"}, "base_url"),
    ({"base_url": "/v1"}, "base_url"),
    ({"formats": r"gw-\w+"}, "formats"),
    ({"formats": ("gw-(",)}, "formats"),
    ({"prefixes": "gw-"}, "prefixes"),
    ({"success_fields": "data[]"}, "success_fields"),
    ({"success_fields": ()}, "success_fields"),
    ({"request": "/models"}, "request"),
    ({"request": VerificationRequest("models")}, "path"),
    ({"request": VerificationRequest("/mo dels")}, "path"),
    ({"request": VerificationRequest("/models", method="GET IT")}, "method"),
    ({"request": VerificationRequest("/models", {"authorization": "Bearer"})}, "{key}"),
    ({"request": VerificationRequest("/models", {"authorization": "Bearer {token}"})}, "{key}"),
    ({"request": VerificationRequest("/models", {"x key": "{key}"})}, "header"),
    ({"request": VerificationRequest("/models", {"x-key": "ü{key}"})}, "header"),
    ({"request": VerificationRequest("/models", {"x-key": None})}, "header"),  # type: ignore[dict-item]
    ({"request": VerificationRequest(base_url="nowhere")}, "base_url"),
    ({"requests_by_prefix": {"gw-": "/models"}}, "requests_by_prefix"),
    ({"requests_by_variable": ["GATEWAY_KEY"]}, "requests_by_variable"),
    ({"response_rules": ResponseRule(Verdict.VALID, 200)}, "response_rules"),
    ({"response_rules": (ResponseRule(Verdict.VALID, 200, "a", "("),)}, "response_rules"),
    ({"response_rules": (ResponseRule("valid", "200"),)}, "response_rules"),  # type: ignore[arg-type]
    ({"expires_at": datetime.datetime.now(datetime.UTC)}, "expires_at"),
    ({"ttl": "an hour"}, "ttl"),
    ({"title": 3}, "title"),
    ({"response_rules": (ResponseRule(Verdict.VALID, 200, "a", re.compile("x")),)}, "response_rules"),  # type: ignore[arg-type]
    ({"response_rules": (ResponseRule(Verdict.VALID, 200, "a", b"x"),)}, "response_rules"),  # type: ignore[arg-type]
    ({"request": VerificationRequest(base_url="https://{REGION}.llm.internal")}, "base_url"),
    ({"unknown_keys": True}, "unknown_keys"),
    ({"unknown_keys": "checked"}, "unknown_keys"),
    ({"specimens": "sk-{48}"}, "specimens"),
    ({"switches": Switch("OFFLINE")}, "switches"),
    ({"switches": (Switch("OFF-LINE"),)}, "Switch"),
    ({"switches": (Switch("OFFLINE", "("),)}, "Switch"),
    ({"switches": (Switch("OFFLINE", provider="openia", base_url="https://llm.internal"),)}, "Switch"),
    ({"switches": (Switch("OFFLINE", provider="openai", base_url="llm.internal"),)}, "base_url"),
]


@pytest.mark.parametrize(("changes", "name"), FLAWS)
@pytest.mark.parametrize("kind", ["AIProviderKey", "CredentialExchange"])
def test_flaw_is_reported_by_name(
    problem: FindProblem,
    httpserver: HTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    changes: dict[str, Any],
    name: str,
) -> None:
    monkeypatch.setenv("GATEWAY_KEY", "k-8fJ2kQ91xZpL0vTq")
    provider = gateway(**changes)
    check: AIProviderKey | CredentialExchange = AIProviderKey(provider, key="GATEWAY_KEY")
    if kind == "CredentialExchange":
        check = CredentialExchange(httpserver.url_for("/exchange"), [provider])
    errors = list(declaration_errors(source_of(check)))
    assert any(name in error.message for error in errors), errors
    assert {error.code for error in errors} == {"invalid_declaration"}
    assert problem(check).code == "invalid_declaration"
    assert not httpserver.log
    for secret in ("8fJ2kQ91", "llm.internal"):
        assert secret not in repr(errors)


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)
def test_the_catalog_has_no_flaw(provider: Provider) -> None:
    assert list(provider_flaws(provider, "")) == []
    for account in ("second", "eu"):
        assert list(provider_flaws(dataclasses.replace(provider, name=account), "")) == []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"base_url": "{GATEWAY_HOST}/v1"},
        {"base_url": "https://{REGION2|REGION}.llm.internal"},
        {"base_url": "http://user:p%40ss@llm.internal:8080/"},
        {"base_url": "http://[::1]:8080"},
        {"request": VerificationRequest("", {"x-api-key": "{key}", "x-org": "ours"}, "POST")},
        {"variables": ["GATEWAY_KEY"], "formats": [r"gw-\w+"], "success_fields": ["id"]},
        {"success_fields": (), "response_rules": (ResponseRule(Verdict.VALID, 204),)},
        {"unknown_keys": "accepted", "specimens": ["gw-{20}"]},
        {"switches": (Switch("OFFLINE"), Switch("TYPE", "azure", "azure_openai", "{AZURE_OPENAI_ENDPOINT}"))},
        {"base_url": "http://{GATEWAY_HOST}:{GATEWAY_PORT}/v1"},
        {"base_url": "https://[{GATEWAY_ADDRESS}]:8443"},
        *({"name": name} for name in ("xai-eu", "xai-grok", "pplx-eu", "hf_org-a", "api_org_second", "gpt-4-gateway")),
    ],
)
def test_valid_declaration_has_no_flaw(changes: dict[str, Any]) -> None:
    assert list(provider_flaws(gateway(**changes), "")) == []


def test_repr_of_a_provider_and_of_its_checks_shows_no_address() -> None:
    """django-health-check's own view shows the repr of a check to everybody."""
    headers = {**BEARER, "x-tenant": "s3cret"}
    provider = gateway(
        base_url="https://gate:s3cret@llm.internal/?t=s3cret", request=VerificationRequest(headers=headers)
    )
    for shown in (provider, AIProviderKey(provider), provider.resolve_endpoint(), provider.request):
        assert "s3cret" not in repr(shown)
    assert repr(provider) == "Provider('gateway')"


@pytest.mark.parametrize("raises", [True, False])
def test_failing_expires_at_function_is_reported(
    problem: FindProblem, monkeypatch: pytest.MonkeyPatch, raises: bool
) -> None:
    def expires_at(key: str) -> Any:
        if raises:
            raise ValueError(key)
        return "tomorrow"

    monkeypatch.setenv("GATEWAY_KEY", "k-8fJ2kQ91xZpL0vTq")
    found = problem(AIProviderKey(gateway(expires_at=expires_at), verify=False))
    assert found.code == "invalid_declaration"
    assert "expires_at" in found.message
    assert "8fJ2kQ91" not in repr(found)


def test_expiry_without_a_time_zone_is_utc(result: RunCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_KEY", "k-8fJ2kQ91xZpL0vTq")
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    for hours, code in ((1, None), (-1, "key_expired")):
        at = now + datetime.timedelta(hours=hours)
        outcome = result(AIProviderKey(gateway(expires_at=lambda key, at=at: at), verify=False))
        assert (outcome.problem and outcome.problem.code) == code


@pytest.mark.parametrize(
    "changes",
    [{}, {"prefixes": ("sk-proj-", "sk-")}, {"prefixes": ("sk-proj-",), "formats": (r"sk-proj-[\w-]+",)}],
)
def test_second_account_has_keys_like_the_first(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """A provider of the catalog can be declared again under another name, for a second account or a region."""
    monkeypatch.setenv("EU_KEY", openai_key())
    provider = Provider(name="openai_eu", variables=("EU_KEY",), base_url="https://eu.api.openai.com/v1", **changes)
    assert result(AIProviderKey(provider, verify=False)).status is Status.HEALTHY


def test_provider_under_another_name_keeps_its_key_formats(result: RunCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    claude = dataclasses.replace(PROVIDERS["anthropic"], name="claude")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-api04-" + anthropic_key()[13:])
    assert problem_of(result(AIProviderKey(claude, verify=False))).code == "key_format"
    monkeypatch.setenv("ANTHROPIC_API_KEY", openai_key())
    assert problem_of(result(AIProviderKey(claude, verify=False))).code == "key_wrong_provider"


def test_host_of_the_provider_itself_is_not_a_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    openai = PROVIDERS["openai"]
    for url, is_gateway in (
        ("https://eu.api.openai.com/v1", False),
        ("https://api.openai.com/v2/", False),
        ("https://api.openai.com.evil.example/v1", True),
        ("https://notapi.openai.com/v1", True),
        ("http://[", True),
        ("http://localhost:4000", True),
    ):
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert openai.resolve_endpoint().is_gateway is is_gateway, url


@pytest.mark.parametrize("value", ["evil.example/", "x@127.0.0.1:9/", "a#", "a?b", "a b", "a\\b"])
def test_variable_cannot_change_the_host_of_a_base_url(
    problem: FindProblem, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "ABSK" + "QmVkcm9ja0FQSUtleS0x" * 6)
    monkeypatch.setenv("AWS_REGION", value)
    found = problem(AIProviderKey("bedrock"))
    assert found.code == "base_url_invalid"
    assert "AWS_REGION" in found.hint


def test_key_that_never_expires_is_healthy(result: RunCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_KEY", "k-8fJ2kQ91xZpL0vTq")
    never = datetime.datetime.max.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=-5)))
    assert result(AIProviderKey(gateway(expires_at=lambda key: never), verify=False)).status is Status.HEALTHY


@pytest.mark.parametrize("path", ["/a%2Fb/v1", "/%2541"])
def test_escapes_in_a_base_url_are_kept(
    result: RunCheck, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """The routes of some gateways contain escaped characters."""
    monkeypatch.setenv("GATEWAY_KEY", "k-8fJ2kQ91xZpL0vTq")
    httpserver.expect_request(re.compile(".*")).respond_with_json({"data": []})
    base_url = httpserver.url_for("").rstrip("/") + path
    provider = gateway(base_url=base_url, is_gateway=True, unknown_keys="refused")
    assert result(AIProviderKey(provider)).status is Status.HEALTHY
    assert httpserver.log[0][0].environ["RAW_URI"] == f"{path}/models"
