"""A key is read from a variable, a setting or a function, and is not shown if it is declared instead of its name."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from django.test import override_settings
from pytest_httpserver import HTTPServer

from healthguard.checks import AIProviderKey
from healthguard.providers import PROVIDERS, Provider
from healthguard.status import Status
from tests.support.fixture_types import FindProblem, RunCheck
from tests.support.keys import forms, key_of, maker
from tests.support.provider_servers import GOOD, NAMES, at_server, respond_to_all
from tests.support.results import problem_of

pytestmark = pytest.mark.usefixtures("no_provider_variables", "no_pause")

FORMS = [form for name in NAMES for form in forms(PROVIDERS[name])]
RNG = random.Random("test_key_sources")


@pytest.fixture
def key() -> str:
    """A random key of Anthropic."""
    return key_of(PROVIDERS["anthropic"], RNG)


def test_key_is_read_from_a_variable_with_another_name(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("CLAUDE_KEY", key)
    outcome = result(AIProviderKey("anthropic", verify=False, key="CLAUDE_KEY"))
    assert (outcome.status, outcome.evidence["variable"]) == (Status.HEALTHY, "CLAUDE_KEY")
    monkeypatch.setenv("CLAUDE_KEY", f"CLAUDE_KEY={key}")
    outcome = result(AIProviderKey("anthropic", verify=False, key="CLAUDE_KEY"))
    assert problem_of(outcome).code == "key_corrupted"
    assert "CLAUDE_KEY=" in problem_of(outcome).message
    assert key not in repr(outcome)


@pytest.mark.parametrize("path", ["CLAUDE", "AI.ANTHROPIC.KEY", "AI.PLAIN"])
def test_key_is_read_from_a_setting(result: RunCheck, path: str, key: str) -> None:
    class Ai:
        ANTHROPIC = {"KEY": key}  # noqa: RUF012
        PLAIN = key

    with override_settings(CLAUDE=key, AI=Ai):
        outcome = result(AIProviderKey("anthropic", verify=False, key=path))
        assert (outcome.status, outcome.evidence["source"]) == (Status.HEALTHY, f"the setting {path}")
    for value in ("", "mock"):
        with override_settings(CLAUDE=value, AI={"ANTHROPIC": {"KEY": value}, "PLAIN": value}):
            outcome = result(AIProviderKey("anthropic", verify=False, key=path))
            assert problem_of(outcome).code == ("key_placeholder" if value else "key_empty")
            assert f"the setting {path}" in problem_of(outcome).message
    outcome = result(AIProviderKey("anthropic", verify=False, key=path))
    assert problem_of(outcome).code == "key_missing"


def test_variable_takes_precedence_over_a_setting_with_its_name(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("CLAUDE", key)
    with override_settings(CLAUDE="mock"):
        assert result(AIProviderKey("anthropic", verify=False, key="CLAUDE")).status is Status.HEALTHY


def test_function_can_return_the_key(
    result: RunCheck, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    provider = at_server(PROVIDERS["anthropic"], httpserver, monkeypatch)
    respond_to_all(httpserver, GOOD["anthropic"], "")
    outcome = result(AIProviderKey(provider, key=lambda: key))
    assert (outcome.status, outcome.evidence["source"]) == (Status.HEALTHY, "the declared function")
    assert key not in repr(outcome)


def test_function_that_returns_no_key_is_reported(result: RunCheck, key: str) -> None:
    def fail() -> str:
        raise RuntimeError(f"cannot decrypt {key}")

    cases: list[tuple[Callable[[], str | None], str]] = [
        (fail, "key_missing"),
        (lambda: None, "key_missing"),
        (lambda: "", "key_empty"),
    ]
    for function, code in cases:
        outcome = result(AIProviderKey("anthropic", verify=False, key=function))
        assert (outcome.status, problem_of(outcome).code) == (Status.UNHEALTHY, code)
        assert "function" in problem_of(outcome).message
        assert key not in repr(outcome)
    outcome = result(AIProviderKey("anthropic", verify=False, key=fail))
    assert "RuntimeError" in problem_of(outcome).message


@pytest.mark.parametrize(("form", "pattern"), FORMS, ids=[form for form, _ in FORMS])
@pytest.mark.parametrize("field", ["key", "provider"])
def test_key_instead_of_a_name_is_not_shown(problem: FindProblem, form: str, pattern: str, field: str) -> None:
    name = form.rpartition("-")[0]
    for _ in range(20):
        key = maker(pattern)(RNG)
        found = problem(AIProviderKey(name, key=key) if field == "key" else AIProviderKey(key))
        assert found.code == "invalid_declaration"
        assert key not in repr(found)
        assert key[:15] not in repr(found)


@pytest.mark.parametrize(
    "key", [7, b"ANTHROPIC_API_KEY", "", "a b", "A..B", ".A", "A." + "B" * 99, ["ANTHROPIC_API_KEY"]]
)
def test_invalid_name_of_a_key_is_reported(problem: FindProblem, key: Any) -> None:
    assert problem(AIProviderKey("anthropic", key=key)).code == "invalid_declaration"


@pytest.mark.parametrize("provider", [None, 7, "", "nope", ["anthropic"], Provider(name="x", base_url="http://x")])
def test_invalid_provider_is_reported(problem: FindProblem, provider: Any) -> None:
    assert problem(AIProviderKey(provider)).code == "invalid_declaration"
