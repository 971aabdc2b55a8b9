"""The needs of each check from the environment."""

from __future__ import annotations

import pytest
from django.test import override_settings

from healthguard import checks
from healthguard.checks.base import Check
from healthguard.providers import Provider
from healthguard.requirements import DatabaseRequirement, Requirement, SecretKeyRequirement, VariableRequirement
from healthguard.service import declaration_errors, source_of


@pytest.mark.parametrize(
    ("check", "needs"),
    [
        (checks.EnvironmentVariable("SHOP_TOKEN", min_bytes=9), [VariableRequirement(("SHOP_TOKEN",), min_bytes=9)]),
        (checks.SecretKey(), []),
        (checks.SecretKey(64, env="SHOP_SECRET"), [SecretKeyRequirement(("SHOP_SECRET",), min_bytes=64)]),
        (checks.DatabaseName("shop"), []),
        (
            checks.DatabaseName("shop", "replica", env="REPLICA_URL"),
            [DatabaseRequirement(("REPLICA_URL",), database="shop", alias="replica")],
        ),
        (checks.DatabaseName("postgres://u:Zr2mVx7@h/x", env="DATABASE_URL"), [VariableRequirement(("DATABASE_URL",))]),
        (checks.AppliedMigrations(), []),
        (checks.CredentialExchange("/exchange", ["anthropic"]), []),
        (checks.HTTPEndpoint("/page"), []),
        (checks.ModelSchema(), []),
        (checks.RequiredColumns("orders", {"id": "bigint"}), []),
        (checks.RequiredTables(["orders"]), []),
    ],
    ids=repr,
)
def test_check_states_what_it_needs(check: Check, needs: list[Requirement]) -> None:
    """A check that reads nothing from the environment needs nothing."""
    assert [*check.needs()] == needs


@pytest.mark.parametrize(
    ("check", "names"),
    [
        (checks.AIProviderKey("anthropic"), ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")),
        (checks.AIProviderKey("anthropic", key="SHOP_KEY"), ("SHOP_KEY",)),
        (checks.AIProviderKey(Provider(name="llm", variables=("LLM_KEY",), base_url="https://llm")), ("LLM_KEY",)),
    ],
    ids=repr,
)
def test_ai_key_needs_one_of_its_variables(check: checks.AIProviderKey, names: tuple[str, ...]) -> None:
    """The environment of the process does not matter."""
    (requirement,) = check.needs()
    assert requirement.names == names


@pytest.mark.parametrize("key", ["SHOP_AI_KEY", "SHOP.ai.key", lambda: "key"])
def test_key_from_a_setting_or_a_function_needs_nothing(key: str) -> None:
    """The variable that a setting is read from is not known."""
    with override_settings(SHOP_AI_KEY=None):
        assert [*checks.AIProviderKey("anthropic", key=key).needs()] == []


@pytest.mark.parametrize(
    "check",
    [
        checks.SecretKey(env="sk-ant-api03-pq8Zr2mVx7Lk4Tn9"),
        checks.DatabaseName("shop", env="a b"),
        checks.SecretKey(env=1),  # type: ignore[arg-type]
    ],
    ids=["key", "space", "number"],
)
def test_env_must_be_the_name_of_a_variable(check: Check) -> None:
    """A secret that was declared by mistake is not shown."""
    messages = [problem.message for problem in declaration_errors(source_of(check))]
    assert messages == [f"env of {type(check).__name__} must be the name of an environment variable."]
