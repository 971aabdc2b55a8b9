"""AIProviderKey: the source of a key and the problems of its value."""

from __future__ import annotations

import base64
import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import override_settings
from django.utils.translation import gettext_lazy
from pytest_httpserver import HTTPServer

from example_project.provider_simulator import Simulator
from healthguard.checks import AIProviderKey
from healthguard.providers import PROVIDERS
from healthguard.status import Fault, Status
from tests.support.ai_keys import BASE_URLS, KEYS, VARIABLES
from tests.support.fixture_types import FindProblem, RunCheck
from tests.support.keys import MOCKS
from tests.support.results import problem_of

pytestmark = pytest.mark.usefixtures("ai_key_environment")


def test_real_key_is_healthy_and_has_a_fingerprint(result: RunCheck, ai_provider: str, provider: Simulator) -> None:
    provider.keys = set(KEYS.values())
    outcome = result(AIProviderKey(ai_provider))
    assert outcome.status is Status.HEALTHY, outcome.problem
    assert outcome.evidence["verdict"] == "valid"
    assert len(str(outcome.evidence["fingerprint"])) == 8
    assert KEYS[ai_provider] not in repr(outcome)


def test_key_that_is_not_set_is_missing(
    problem: FindProblem, ai_provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLES[ai_provider])
    found = problem(AIProviderKey(ai_provider))
    assert (found.code, found.fault) == ("key_missing", Fault.CONFIG)
    assert VARIABLES[ai_provider] in found.message


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "key_empty"),
        ("mock-anthropic-key", "key_placeholder"),
        ("sk-ant-mock-key", "key_placeholder"),
        ("your-api-key", "key_placeholder"),
        ("sk-xxxxxxxxxxxxxxxx", "key_placeholder"),
        ("{key}\n", "key_corrupted"),
        ('"{key}"', "key_corrupted"),
        ("Bearer {key}", "key_corrupted"),
        ("$(KEY)", "key_corrupted"),
        ("{base64}", "key_corrupted"),
        ("{other}", "key_wrong_provider"),
    ],
)
def test_unusable_value_is_reported_without_a_request(
    problem: FindProblem, ai_provider: str, monkeypatch: pytest.MonkeyPatch, value: str, code: str
) -> None:
    """No provider runs in this test, so the value alone proves the problem."""
    other = next(key for owner, key in KEYS.items() if owner != ai_provider)
    key = KEYS[ai_provider]
    encoded = base64.b64encode(key.encode()).decode()
    monkeypatch.setenv(
        VARIABLES[ai_provider], value.replace("{key}", key).replace("{base64}", encoded).replace("{other}", other)
    )
    found = problem(AIProviderKey(ai_provider))
    assert (found.code, found.fault) == (code, Fault.CONFIG)
    assert key not in repr(found)
    assert other not in repr(found)


def test_unusual_format_is_degraded(result: RunCheck, ai_provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLES[ai_provider], KEYS[ai_provider][:-9])
    outcome = result(AIProviderKey(ai_provider, verify=False))
    assert (outcome.status, problem_of(outcome).code) == (Status.DEGRADED, "key_format")


def test_no_request_is_sent_without_verify(result: RunCheck, ai_provider: str, provider: Simulator) -> None:
    assert result(AIProviderKey(ai_provider, verify=False)).status is Status.HEALTHY
    assert provider.asked == 0


@pytest.mark.parametrize("url", ["not a url", "ftp://127.0.0.1/", "http://", "${ANTHROPIC}", "http://u:pw@[bad"])
def test_invalid_base_url_is_unhealthy(
    result: RunCheck, ai_provider: str, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv(BASE_URLS[ai_provider], url)
    outcome = result(AIProviderKey(ai_provider))
    assert (outcome.status, problem_of(outcome).code) == (Status.UNHEALTHY, "base_url_invalid")


@pytest.mark.parametrize("port", [99999, 65536])
def test_invalid_port_of_a_base_url_is_reported(
    problem: FindProblem, monkeypatch: pytest.MonkeyPatch, ai_provider: str, port: int
) -> None:
    monkeypatch.setenv(BASE_URLS[ai_provider], f"http://127.0.0.1:{port}")
    assert problem(AIProviderKey(ai_provider)).code == "base_url_invalid"


def test_fingerprint_is_made_with_any_secret_key(result: RunCheck, ai_provider: str, provider: Simulator) -> None:
    provider.keys = set(KEYS.values())
    for secret in ("", b"bytes" * 20, "undecodable-\udcff" * 8):
        with override_settings(SECRET_KEY=secret):
            assert result(AIProviderKey(ai_provider)).status is Status.HEALTHY


# The declaration.


def test_unknown_provider_is_reported_with_the_nearest_name(problem: FindProblem) -> None:
    found = problem(AIProviderKey("antropic"))
    assert found.code == "invalid_declaration"
    assert "anthropic" in found.hint


def test_key_instead_of_a_provider_is_not_shown(problem: FindProblem) -> None:
    for key in KEYS.values():
        assert key not in repr(problem(AIProviderKey(key)))


def test_repr_does_not_show_the_key(ai_provider: str) -> None:
    assert KEYS[ai_provider] not in repr(AIProviderKey(ai_provider))


# The source of the key.


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (KEYS["anthropic"].encode, None),
        (lambda: gettext_lazy(KEYS["anthropic"]), None),
        (lambda: [KEYS["anthropic"]], "key_not_text"),
        (lambda: 12345, "key_not_text"),
        (lambda: False, "key_not_text"),
        (lambda: pathlib.Path(KEYS["anthropic"]), "key_not_text"),
        (lambda: b"\xff" + KEYS["anthropic"].encode(), "key_corrupted"),
        (lambda: "\ud800" + KEYS["anthropic"], "key_corrupted"),
        (lambda: None, "key_missing"),
        (lambda: "", "key_empty"),
        (lambda: 1 / 0, "key_missing"),
    ],
)
@pytest.mark.parametrize("is_async", [False, True])
def test_value_of_a_function_is_checked(
    result: RunCheck, given: Callable[[], Any], code: str | None, is_async: bool
) -> None:
    async def given_async() -> Any:
        return given()

    outcome = result(AIProviderKey("anthropic", key=given_async if is_async else given, verify=False))
    assert (outcome.problem and outcome.problem.code) == code
    assert KEYS["anthropic"] not in repr(outcome)


@pytest.mark.parametrize("value", [[KEYS["anthropic"]], 5, lambda: KEYS["anthropic"], {"key": KEYS["anthropic"]}])
def test_setting_that_is_not_a_string_is_reported(problem: FindProblem, value: object) -> None:
    with override_settings(OUR_KEY=value):
        found = problem(AIProviderKey("anthropic", key="OUR_KEY", verify=False))
    assert (found.code, found.fault) == ("key_not_text", Fault.CONFIG)
    assert KEYS["anthropic"] not in repr(found)


@pytest.mark.django_db
@pytest.mark.parametrize("is_async", [False, True])
def test_function_may_query_the_database(result: RunCheck, is_async: bool) -> None:
    """The function runs on a thread that may query a database, and on the connections of the run."""
    Group.objects.create(name=KEYS["anthropic"])

    async def query_async() -> str:
        return (await Group.objects.aget()).name

    def query() -> str:
        return Group.objects.get().name

    check = AIProviderKey("anthropic", key=query_async if is_async else query, verify=False)
    assert result(check).status is Status.HEALTHY


# Gateways.


@pytest.mark.parametrize("has_gateway", [False, True])
def test_empty_variable_is_skipped_at_a_gateway(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, provider: Simulator, has_gateway: bool
) -> None:
    """Gateways require an empty ANTHROPIC_API_KEY, because the SDK would send a key in addition to the token."""
    provider.keys = {"token-of-the-gateway"}
    monkeypatch.setenv("ANTHROPIC_API_KEY", "")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token-of-the-gateway")
    if not has_gateway:
        monkeypatch.delenv("ANTHROPIC_BASE_URL")
    outcome = result(AIProviderKey("anthropic", verify=has_gateway))
    assert (outcome.problem and outcome.problem.code) == (None if has_gateway else "key_empty")


@pytest.mark.parametrize("key", ["changeme", "ollama", "mock-anthropic-key"])
def test_any_key_of_a_gateway_is_accepted_without_verify(
    result: RunCheck, ai_provider: str, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv(BASE_URLS[ai_provider], "http://llm.internal")
    monkeypatch.setenv(VARIABLES[ai_provider], key)
    assert result(AIProviderKey(ai_provider, verify=False)).status is Status.HEALTHY


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("mock-anthropic-key", "key_placeholder"),
        ("sk-ant-MOCK", "key_placeholder"),
        ("ollama", None),
        ("dummy", None),
        ("sk-1234", None),
        ("team-hammock", None),
    ],
)
def test_offline_part_finds_a_mock_at_a_gateway(
    result: RunCheck, ai_provider: str, monkeypatch: pytest.MonkeyPatch, key: str, code: str | None
) -> None:
    """The gateway will not be asked, and a key that calls itself a mock has no place in a deployment."""
    monkeypatch.setenv(BASE_URLS[ai_provider], "http://llm.internal")
    monkeypatch.setenv(VARIABLES[ai_provider], key)
    outcome = result(AIProviderKey(ai_provider).offline())
    assert (outcome.problem and outcome.problem.code) == code


def test_mock_that_a_gateway_rejects_is_a_placeholder(
    result: RunCheck,
    problem: FindProblem,
    ai_provider: str,
    provider: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A gateway issues keys of any format, so the value proves nothing until the gateway rejects the key."""
    monkeypatch.setenv(VARIABLES[ai_provider], "mock-key")
    assert problem(AIProviderKey(ai_provider)).code == "key_placeholder"
    provider.keys = {"mock-key"}
    assert result(AIProviderKey(ai_provider)).status is Status.HEALTHY


# Mocks that are long, or that have a random part.


@pytest.mark.parametrize("mock", MOCKS)
def test_mock_of_unknown_format_is_a_placeholder_unless_accepted(
    problem: FindProblem, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, mock: str
) -> None:
    """A word of mocks and an unknown format are proof enough until the provider accepts the key."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", mock)
    assert problem(AIProviderKey("anthropic", verify=False)).code == "key_placeholder"
    anthropic = dataclasses.replace(PROVIDERS["anthropic"], base_url=httpserver.url_for("").rstrip("/"))
    responses: tuple[tuple[int, dict[str, Any], set[str]], ...] = (
        (200, {"data": []}, {"key_format", "key_placeholder"}),
        (500, {}, {"key_placeholder"}),
        (401, {"error": {"type": "authentication_error"}}, {"key_placeholder"}),
    )
    for status, body, codes in responses:
        httpserver.clear()
        httpserver.expect_request("/v1/models").respond_with_json(body, status)
        assert problem(AIProviderKey(anthropic)).code in codes


def test_accepted_key_of_unknown_format_with_a_word_is_not_a_placeholder(
    result: RunCheck, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-sample07-8fJ2kQ91xZpL0vTq8fJ2kQ91xZpL0vTq")
    anthropic = dataclasses.replace(
        PROVIDERS["anthropic"], base_url=httpserver.url_for("").rstrip("/"), unknown_keys="refused"
    )
    httpserver.expect_request("/v1/models").respond_with_json({"data": []})
    outcome = result(AIProviderKey(anthropic))
    assert (outcome.status, problem_of(outcome).code) == (Status.DEGRADED, "key_format")
