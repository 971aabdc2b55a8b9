"""KeyRequirement judges a key as AIProviderKey does without asking the provider."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from example_project.deployment import anthropic_key, openai_key
from healthguard.checks import AIProviderKey
from healthguard.providers import PROVIDERS, Provider, Switch
from healthguard.requirements import KeyRequirement
from healthguard.requirements.key import plain_provider
from healthguard.status import Status
from tests.support.fixture_types import RunCheck

ANTHROPIC = KeyRequirement(("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"), provider=PROVIDERS["anthropic"])
GATEWAY_URL = "http://litellm.ai.svc:4000"
KEY_OF_GATEWAY = "sk-litellm-pq8Zr2mVx7"


def openai() -> KeyRequirement:
    (requirement,) = AIProviderKey("openai").needs()
    return requirement


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (anthropic_key(), None),
        ("", "key_empty"),
        (f"{anthropic_key()}\n", "key_corrupted"),
        ("changeme", "key_placeholder"),
        ("mock_anthropic_key", "key_placeholder"),
        ("<your-api-key>", "key_placeholder"),
        (openai_key(), "key_wrong_provider"),
        ("pq8Zr2mVx7Lk4Tn9", "key_format"),
    ],
)
def test_key_has_the_problem_of_the_check(
    value: str, code: str | None, result: RunCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code, the texts and the severity are those of a running container that asks no provider."""
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", value)
    outcome = result(AIProviderKey("anthropic", verify=False))
    judgement = ANTHROPIC.judge("ANTHROPIC_API_KEY", value)
    assert (judgement and judgement.problem.code) == code
    texts = judgement and (judgement.problem.message, judgement.problem.hint)
    assert texts == (outcome.problem and (outcome.problem.message, outcome.problem.hint))
    assert (judgement is not None and judgement.is_minor) is (outcome.status is Status.DEGRADED)


@pytest.mark.parametrize(
    "others",
    [
        {"ANTHROPIC_BASE_URL": GATEWAY_URL},
        {"ANTHROPIC_BASE_URL": None},
        {"CLAUDE_CODE_USE_VERTEX": None},
    ],
)
def test_key_of_a_gateway_may_have_any_format(others: Mapping[str, str | None]) -> None:
    """A base URL that is not known may be that of a gateway."""
    assert ANTHROPIC.judge("ANTHROPIC_API_KEY", KEY_OF_GATEWAY, others) is None
    assert ANTHROPIC.judge("ANTHROPIC_API_KEY", KEY_OF_GATEWAY) is not None


def test_mock_at_a_gateway_is_reported_unless_the_key_is_declared_as_not_verified() -> None:
    """The hint of the problem names the option that accepts it."""
    others = {"ANTHROPIC_BASE_URL": GATEWAY_URL}
    found = ANTHROPIC.problem("ANTHROPIC_API_KEY", "mock-key-1", others)
    assert found is not None
    assert "verify=False" in found.hint
    unverified = dataclasses.replace(ANTHROPIC, is_verified=False)
    assert unverified.problem("ANTHROPIC_API_KEY", "mock-key-1", others) is None


@pytest.mark.parametrize("url", ["https://api.anthropic.com", "https://eu.api.anthropic.com/v1", " "])
def test_base_url_of_the_provider_itself_changes_nothing(url: str) -> None:
    """A key at the provider has a known format."""
    assert ANTHROPIC.problem("ANTHROPIC_API_KEY", "changeme", {"ANTHROPIC_BASE_URL": url}) is not None


@pytest.mark.parametrize(
    ("others", "is_judged"),
    [
        ({"OPENAI_API_TYPE": "azure", "AZURE_OPENAI_ENDPOINT": "https://shop.openai.azure.com"}, False),
        ({"OPENAI_API_TYPE": "open_ai"}, True),
        ({"AZURE_OPENAI_ENDPOINT": "https://shop.openai.azure.com"}, False),
    ],
)
def test_switch_to_another_provider_is_respected(others: Mapping[str, str | None], is_judged: bool) -> None:
    """A key of Azure in the variable of OpenAI is right if the SDK sends it to Azure."""
    key = "0f8a3c5d9b7e1f2a4c6d8e0b1a3c5d7f"
    assert (openai().judge("OPENAI_API_KEY", key, others) is not None) is is_judged


@pytest.mark.parametrize(
    ("provider", "values", "name"),
    [
        ("anthropic", {"ANTHROPIC_AUTH_TOKEN": "x", "ANTHROPIC_API_KEY": ""}, "ANTHROPIC_API_KEY"),
        ("gemini", {"GOOGLE_API_KEY": "", "GEMINI_API_KEY": "x"}, "GEMINI_API_KEY"),
        ("gemini", {"GOOGLE_API_KEY": None, "GEMINI_API_KEY": "x"}, "GOOGLE_API_KEY"),
        ("gemini", {"GEMINI_API_KEY": ""}, "GEMINI_API_KEY"),
        ("gemini", {"OTHER": "x"}, None),
    ],
)
def test_chosen_variable_is_that_which_the_sdk_reads(
    provider: str, values: Mapping[str, str | None], name: str | None
) -> None:
    """Some SDKs ignore a variable that is set but empty."""
    (requirement,) = AIProviderKey(provider).needs()
    assert requirement.chosen_name(values) == name


def test_provider_of_the_project_is_reduced_to_what_describes_its_keys() -> None:
    """A base URL and the headers may contain a password."""
    own = Provider(
        name="llm",
        title="LLM",
        variables=("LLM_KEY",),
        base_url="https://user:Zr2mVx7Lk4Tn9@llm.internal/v1",
        base_url_variables=("LLM_URL",),
        switches=(Switch("USE_AZURE", provider="azure_openai"), Switch("OFFLINE")),
        formats=("llm-[a-z]{8}",),
    )
    plain = plain_provider(own)
    assert (plain.label, plain.variables, plain.formats) == ("LLM", ("LLM_KEY",), ("llm-[a-z]{8}",))
    assert plain.base_url_variables == ("LLM_URL", "USE_AZURE")
    assert plain.base_url == ""
    assert plain_provider(plain) == plain


def test_requirement_has_a_hash() -> None:
    """Requirements can be members of a set, although a Provider has no hash."""
    assert len({ANTHROPIC, dataclasses.replace(ANTHROPIC)}) == 1
