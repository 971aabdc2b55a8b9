"""CredentialExchange: the verification of vended keys, and the base URL of this process, which customers do not use."""

from __future__ import annotations

import dataclasses
import logging
import os

import pytest

from example_project.provider_simulator import Simulator
from healthguard.checks import CredentialExchange
from healthguard.providers import PROVIDERS, Provider
from healthguard.status import Fault, Status
from tests.support.ai_keys import KEYS
from tests.support.credential_exchange import BOTH, PATH, Vend, credentials
from tests.support.fixture_types import FindProblem, RunCheck
from tests.support.keys import MOCKS
from tests.support.results import problem_of

pytestmark = pytest.mark.usefixtures("exchange_environment")


def test_keys_that_the_providers_accept_are_healthy(result: RunCheck, vend: Vend, provider: Simulator) -> None:
    provider.keys = set(KEYS.values())
    assert result(CredentialExchange(vend(credentials(**KEYS)), BOTH, verify=True)).problem is None
    assert provider.received.count(KEYS["anthropic"]) == provider.received.count(KEYS["openai"]) == 1


def test_key_that_its_provider_rejects_is_reported(problem: FindProblem, vend: Vend, provider: Simulator) -> None:
    provider.keys = {KEYS["anthropic"]}
    found = problem(CredentialExchange(vend(credentials(**KEYS)), BOTH, verify=True))
    assert (found.code, found.fault) == ("key_rejected", Fault.CONFIG)
    assert f"{PATH} vends for openai" in found.message
    assert found.evidence["verdict"] == "rejected"
    assert KEYS["openai"] not in repr(found)


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("500", "provider_down"),
        ("429", "provider_rate_limited"),
        ("garbage", "provider_inconclusive"),
        ("no-funds", "key_no_funds"),
    ],
)
def test_failing_provider_is_degraded(result: RunCheck, vend: Vend, provider: Simulator, mode: str, code: str) -> None:
    provider.keys, provider.mode = set(KEYS.values()), mode
    outcome = result(CredentialExchange(vend(credentials(**KEYS)), ["anthropic"], verify=True))
    assert (outcome.status, problem_of(outcome).code) == (Status.DEGRADED, code)


def test_mock_is_a_placeholder_although_a_gateway_accepts_it(
    problem: FindProblem, vend: Vend, provider: Simulator
) -> None:
    """Customers receive only the key, so the gateway that this process uses does not matter."""
    provider.keys = {"mock-anthropic-key"}
    found = problem(CredentialExchange(vend(credentials(anthropic="mock-anthropic-key")), ["anthropic"], verify=True))
    assert found.code == "key_placeholder"
    assert provider.asked == 0


def test_provider_may_be_an_instance(result: RunCheck, problem: FindProblem, vend: Vend) -> None:
    gateway = Provider(name="gateway", base_url="https://llm.internal/v1", is_gateway=True)
    google = dataclasses.replace(PROVIDERS["gemini"], name="google")
    url = vend(credentials(gateway="test", google="mock"))
    assert result(CredentialExchange(url, [gateway])).problem is None
    assert "GOOGLE_API_KEY" in problem(CredentialExchange(url, [google])).hint


def test_provider_without_a_base_url_is_reported(
    problem: FindProblem, vend: Vend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT", raising=False)
    url = vend(credentials(azure_openai="8fJ2kQ91xZpL0vTqWm4RtYbN7hGs3dEa"))
    found = problem(CredentialExchange(url, ["azure_openai"], verify=True))
    assert (found.code, found.fault) == ("base_url_missing", Fault.CONFIG)
    assert "AZURE_OPENAI_ENDPOINT" in found.hint


def test_vended_keys_are_not_shown_or_logged(
    result: RunCheck, vend: Vend, provider: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    for keys in (KEYS, {"anthropic": KEYS["openai"], "openai": KEYS["anthropic"]}):
        check = CredentialExchange(vend(credentials(**keys)), BOTH, {"x-api-key": lambda: "s3cret"}, verify=True)
        with caplog.at_level(logging.DEBUG):
            outcome = result(check)
        assert outcome.problem is not None
        everything = repr(outcome) + repr(check) + str(check.labels) + caplog.text
        for secret in (*KEYS.values(), "s3cret"):
            assert secret not in everything


# The base URL of this process, which customers do not use.


@pytest.mark.parametrize("mock", MOCKS)
@pytest.mark.parametrize("has_gateway", [False, True])
def test_long_mock_is_a_placeholder(
    problem: FindProblem, vend: Vend, monkeypatch: pytest.MonkeyPatch, mock: str, has_gateway: bool
) -> None:
    if has_gateway:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    found = problem(CredentialExchange(vend(credentials(anthropic=mock)), ["anthropic"]))
    assert found.code == "key_placeholder"
    assert found.hint.startswith("Check that ANTHROPIC_API_KEY is mounted")


def test_unusual_format_is_degraded_although_this_process_uses_a_gateway(
    result: RunCheck, vend: Vend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    outcome = result(CredentialExchange(vend(credentials(anthropic="dev-anthropic-7f3a")), ["anthropic"]))
    assert (outcome.status, problem_of(outcome).code) == (Status.DEGRADED, "key_format")


@pytest.mark.parametrize("is_the_provider", [True, False])
def test_key_that_only_a_gateway_rejects_is_degraded(
    result: RunCheck, vend: Vend, provider: Simulator, is_the_provider: bool
) -> None:
    """Customers do not use the gateway of this process, so only the provider itself can prove a key invalid."""
    provider.keys = set()
    anthropic = PROVIDERS["anthropic"]
    if is_the_provider:
        anthropic = dataclasses.replace(anthropic, base_url=os.environ.pop("ANTHROPIC_BASE_URL"))
    outcome = result(CredentialExchange(vend(credentials(**KEYS)), [anthropic], verify=True))
    found = problem_of(outcome)
    assert found.code == "key_rejected"
    assert outcome.status is (Status.UNHEALTHY if is_the_provider else Status.DEGRADED)
    assert ("ANTHROPIC_BASE_URL" in found.hint) is not is_the_provider
