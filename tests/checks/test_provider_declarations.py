"""What can be wrong with a Provider of one's own: told by name before a key is sent anywhere."""

from __future__ import annotations

import dataclasses
import datetime
import re
from typing import Any

import pytest

from example_project.deployment import anthropic_key, openai_key
from healthguard.checks import AIProviderKey, CredentialExchange
from healthguard.providers import BEARER, PROVIDERS, Answers, Provider, Request, Switch, Verdict, provider_flaws
from healthguard.service import misdeclared, source_of
from healthguard.status import Status


def gateway(**changes: Any) -> Provider:
    declared: dict[str, Any] = {"name": "gateway", "variables": ("GATEWAY_KEY",), "base_url": "https://llm.internal/v1"}
    return Provider(**declared | changes)


FLAWS = [
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
    ({"proofs": "data[]"}, "proofs"),
    ({"proofs": ()}, "proofs"),
    ({"request": "/models"}, "request"),
    ({"request": Request("models")}, "path"),
    ({"request": Request("/mo dels")}, "path"),
    ({"request": Request("/models", method="GET IT")}, "method"),
    ({"request": Request("/models", {"authorization": "Bearer"})}, "{key}"),
    ({"request": Request("/models", {"authorization": "Bearer {token}"})}, "{key}"),
    ({"request": Request("/models", {"x key": "{key}"})}, "header"),
    ({"request": Request("/models", {"x-key": "ü{key}"})}, "header"),
    ({"request": Request("/models", {"x-key": None})}, "header"),  # type: ignore[dict-item]
    ({"request": Request(base_url="nowhere")}, "base_url"),
    ({"requests_by_prefix": {"gw-": "/models"}}, "requests_by_prefix"),
    ({"requests_by_variable": ["GATEWAY_KEY"]}, "requests_by_variable"),
    ({"answers": Answers(Verdict.REAL, 200)}, "answers"),
    ({"answers": (Answers(Verdict.REAL, 200, "a", "("),)}, "answers"),
    ({"answers": (Answers("real", "200"),)}, "answers"),  # type: ignore[arg-type]
    ({"expires_at": datetime.datetime.now(datetime.UTC)}, "expires_at"),
    ({"ttl": "an hour"}, "ttl"),
    ({"title": 3}, "title"),
    ({"answers": (Answers(Verdict.REAL, 200, "a", re.compile("x")),)}, "answers"),  # type: ignore[arg-type]
    ({"answers": (Answers(Verdict.REAL, 200, "a", b"x"),)}, "answers"),  # type: ignore[arg-type]
    ({"request": Request(base_url="https://{REGION}.llm.internal")}, "base_url"),
    ({"unknown_keys": True}, "unknown_keys"),
    ({"unknown_keys": "checked"}, "unknown_keys"),
    ({"specimens": "sk-{48}"}, "specimens"),
    ({"switches": Switch("OFFLINE")}, "switches"),
    ({"switches": (Switch("OFF-LINE"),)}, "Switch"),
    ({"switches": (Switch("OFFLINE", "("),)}, "Switch"),
    ({"switches": (Switch("OFFLINE", provider="openia", base_url="https://llm.internal"),)}, "Switch"),
    ({"switches": (Switch("OFFLINE", provider="openai", base_url="llm.internal"),)}, "base_url"),
]


@pytest.mark.parametrize(("changes", "tells"), FLAWS)
@pytest.mark.parametrize("kind", ["AIProviderKey", "CredentialExchange"])
def test_a_flaw_is_told_by_name(problem, httpserver, monkeypatch, kind, changes, tells) -> None:
    monkeypatch.setenv("GATEWAY_KEY", "k-8fJ2kQ91xZpL0vTq")
    provider = gateway(**changes)
    check = AIProviderKey(provider, key="GATEWAY_KEY")
    if kind == "CredentialExchange":
        check = CredentialExchange(httpserver.url_for("/exchange"), [provider])
    told = list(misdeclared(source_of(check)))
    assert any(tells in one.message for one in told), told
    assert {one.code for one in told} == {"misdeclared"}
    assert problem(check).code == "misdeclared"
    assert not httpserver.log
    for secret in ("8fJ2kQ91", "llm.internal"):
        assert secret not in repr(told)


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)
def test_the_catalog_has_no_flaw(provider) -> None:
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
        {"request": Request("", {"x-api-key": "{key}", "x-org": "ours"}, "POST")},
        {"variables": ["GATEWAY_KEY"], "formats": [r"gw-\w+"], "proofs": ["id"]},
        {"proofs": (), "answers": (Answers(Verdict.REAL, 204),)},
        {"unknown_keys": "accepted", "specimens": ["gw-{20}"]},
        {"switches": (Switch("OFFLINE"), Switch("TYPE", "azure", "azure_openai", "{AZURE_OPENAI_ENDPOINT}"))},
        {"base_url": "http://{GATEWAY_HOST}:{GATEWAY_PORT}/v1"},
        {"base_url": "https://[{GATEWAY_ADDRESS}]:8443"},
        *({"name": name} for name in ("xai-eu", "xai-grok", "pplx-eu", "hf_org-a", "api_org_second", "gpt-4-gateway")),
    ],
)
def test_what_is_well_declared_has_none(changes) -> None:
    assert list(provider_flaws(gateway(**changes), "")) == []


def test_neither_its_repr_nor_its_checks_tells_its_address() -> None:
    """django-health-check's own view shows the repr of a check to everybody."""
    headers = {**BEARER, "x-tenant": "s3cret"}
    provider = gateway(base_url="https://gate:s3cret@llm.internal/?t=s3cret", request=Request(headers=headers))
    for shown in (provider, AIProviderKey(provider), provider.place(), provider.request):
        assert "s3cret" not in repr(shown)
    assert repr(provider) == "Provider('gateway')"


@pytest.mark.parametrize("raises", [True, False])
def test_a_function_for_the_expiry_that_does_not_work(problem, monkeypatch, raises) -> None:
    def expires_at(key: str) -> Any:
        if raises:
            raise ValueError(key)
        return "tomorrow"

    monkeypatch.setenv("GATEWAY_KEY", "k-8fJ2kQ91xZpL0vTq")
    told = problem(AIProviderKey(gateway(expires_at=expires_at), verify=False))
    assert told.code == "misdeclared"
    assert "expires_at" in told.message
    assert "8fJ2kQ91" not in repr(told)


def test_an_expiry_without_a_time_zone_is_utc(result, monkeypatch) -> None:
    monkeypatch.setenv("GATEWAY_KEY", "k-8fJ2kQ91xZpL0vTq")
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    for hours, code in ((1, None), (-1, "key_expired")):
        at = now + datetime.timedelta(hours=hours)
        told = result(AIProviderKey(gateway(expires_at=lambda key, at=at: at), verify=False))
        assert (told.problem and told.problem.code) == code


# A provider of the catalog under another name: a second account, a region.


@pytest.mark.parametrize(
    "changes",
    [{}, {"prefixes": ("sk-proj-", "sk-")}, {"prefixes": ("sk-proj-",), "formats": (r"sk-proj-[\w-]+",)}],
)
def test_a_second_account_has_keys_like_the_first(result, monkeypatch, changes) -> None:
    monkeypatch.setenv("EU_KEY", openai_key())
    provider = Provider(name="openai_eu", variables=("EU_KEY",), base_url="https://eu.api.openai.com/v1", **changes)
    assert result(AIProviderKey(provider, verify=False)).status is Status.HEALTHY


def test_another_name_is_not_another_provider(result, monkeypatch) -> None:
    claude = dataclasses.replace(PROVIDERS["anthropic"], name="claude")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-api04-" + anthropic_key()[13:])
    assert result(AIProviderKey(claude, verify=False)).problem.code == "key_format"
    monkeypatch.setenv("ANTHROPIC_API_KEY", openai_key())
    assert result(AIProviderKey(claude, verify=False)).problem.code == "key_wrong_provider"


def test_a_region_of_the_provider_itself_is_no_gateway(monkeypatch) -> None:
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
        assert openai.place().is_gateway is is_gateway, url


@pytest.mark.parametrize("value", ["evil.example/", "x@127.0.0.1:9/", "a#", "a?b", "a b", "a\\b"])
def test_a_part_of_the_address_cannot_lead_away(problem, monkeypatch, value) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "ABSK" + "QmVkcm9ja0FQSUtleS0x" * 6)
    monkeypatch.setenv("AWS_REGION", value)
    told = problem(AIProviderKey("bedrock"))
    assert told.code == "base_url_invalid"
    assert "AWS_REGION" in told.hint


def test_an_account_that_never_expires(result, monkeypatch) -> None:
    monkeypatch.setenv("GATEWAY_KEY", "k-8fJ2kQ91xZpL0vTq")
    never = datetime.datetime.max.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=-5)))
    assert result(AIProviderKey(gateway(expires_at=lambda key: never), verify=False)).status is Status.HEALTHY


@pytest.mark.parametrize("path", ["/a%2Fb/v1", "/%2541"])
def test_what_is_escaped_in_an_address_stays_so(result, httpserver, monkeypatch, path) -> None:
    """Some gateways name their routes so."""
    monkeypatch.setenv("GATEWAY_KEY", "k-8fJ2kQ91xZpL0vTq")
    httpserver.expect_request(re.compile(".*")).respond_with_json({"data": []})
    base_url = httpserver.url_for("").rstrip("/") + path
    provider = gateway(base_url=base_url, is_gateway=True, unknown_keys="refused")
    assert result(AIProviderKey(provider)).status is Status.HEALTHY
    assert httpserver.log[0][0].environ["RAW_URI"] == f"{path}/models"
