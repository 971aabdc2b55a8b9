"""EnvironmentVariable: the problems of a variable, and the values that a declaration allows."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

import pytest

from healthguard.checks import EnvironmentVariable
from healthguard.status import Fault, Status
from tests.support.fixture_types import FindProblem, RunCheck

URL = "postgres://app:Tr0ub4dor@db/rsolv_platform_prod"


def test_absent_variable_is_reported(problem: FindProblem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GUARDED", raising=False)
    found = problem(EnvironmentVariable("GUARDED"))
    assert (found.code, found.fault) == ("variable_missing", Fault.CONFIG)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("GUARDED", "", "variable_empty"),
        ("GUARDED", URL + "\n", "variable_corrupted"),
        ("GUARDED", f'"{URL}"', "variable_corrupted"),
        ("GUARDED", f"GUARDED={URL}", "variable_corrupted"),
        ("GUARDED", "postgres://$(DB_USER):$(DB_PASSWORD)@db/x", "variable_corrupted"),
        ("GUARDED", "cG9zdGdyZXM6Ly9hcHA6cEBkYi94eHg=", "variable_corrupted"),
        ("GUARDED", "None", "variable_placeholder"),
        ("GUARDED", "${FROM_SOMEWHERE}", "variable_placeholder"),
        ("GUARDED_SECRET", "changeme", "variable_placeholder"),
        ("LIVE_VIEW_SALT", "test", "variable_placeholder"),
    ],
)
def test_unusable_value_is_reported_and_not_shown(
    problem: FindProblem, monkeypatch: pytest.MonkeyPatch, name: str, value: str, code: str
) -> None:
    monkeypatch.setenv(name, value)
    found = problem(EnvironmentVariable(name))
    assert (found.code, found.fault) == (code, Fault.CONFIG)
    assert "Tr0ub4dor" not in repr(found)
    assert found.evidence["variable"] == name


def test_short_value_is_reported_with_its_length(problem: FindProblem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDED", "sevenly")
    found = problem(EnvironmentVariable("GUARDED", min_bytes=8))
    assert found.code == "variable_too_short"
    assert found.evidence == {"variable": "GUARDED", "bytes": 7, "min_bytes": 8}


def test_a_pattern_must_be_found(problem: FindProblem, result: RunCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    """A match anywhere in the value is enough, as with Django's RegexValidator."""
    monkeypatch.setenv("GUARDED", "postgres://app:pw@db/rsolv_landing_prod")
    assert problem(EnvironmentVariable("GUARDED", "rsolv_platform_prod")).code == "variable_mismatch"
    assert problem(EnvironmentVariable("GUARDED", "^rsolv_landing_prod$")).code == "variable_mismatch"
    assert result(EnvironmentVariable("GUARDED", "rsolv_landing_prod")).status is Status.HEALTHY
    assert result(EnvironmentVariable("GUARDED", r"^postgres://.*/rsolv_landing_prod$")).status is Status.HEALTHY


@pytest.mark.parametrize("value", ["prod", "test", "false", "0", '{"a": 1}', "a b", URL])
def test_a_plain_variable_may_hold_any_word(result: RunCheck, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("APP_ENV", value)
    assert result(EnvironmentVariable("APP_ENV")).status is Status.HEALTHY


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("TOKEN_TTL_SECONDS", "3600"), ("PASSWORD_MIN_LENGTH", "12"), ("KEYCLOAK_ENABLED", "true")),
        *(("JWT_KEY_ID", "1"), ("CACHE_KEY_PREFIX", "test"), ("MONKEY", "no")),
        ("SERVICE_ACCOUNT", '{\n "type": "service_account"\n}\n'),
    ],
)
def test_name_that_merely_contains_a_secret_word_is_not_secret(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert result(EnvironmentVariable(name)).problem is None


@pytest.mark.parametrize("name", ["SECRET_KEY_BASE", "LIVE_VIEW_SALT", "APIKEY", "STRIPE_API_KEY", "db_password"])
def test_name_that_ends_like_a_secret_is_a_secret(
    problem: FindProblem, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "changeme")
    assert problem(EnvironmentVariable(name)).code == "variable_placeholder"


@pytest.mark.parametrize("value", ["sk-ant-api03-x1y2", URL, "a b", "x" * 70, ""])
def test_value_instead_of_the_name_is_not_shown(problem: FindProblem, value: str) -> None:
    found = problem(EnvironmentVariable(value))
    assert found.code == "invalid_declaration"
    assert not value or value not in repr(found)


def test_value_that_the_pattern_spells_out_is_not_a_placeholder(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_MODE", "test")
    assert result(EnvironmentVariable("KEY_MODE", "test|live")).status is Status.HEALTHY


@pytest.mark.parametrize(
    ("name", "pattern", "value", "code"),
    [
        ("STRIPE_SECRET_KEY", r"sk_(test|live)_\w+", "sk_test_xxxxxxxxxxxxxxxxxxxx", "variable_placeholder"),
        ("OUR_API_KEY", r"^sk-.+$", "sk-your-api-key-here", "variable_placeholder"),
        ("OUR_API_KEY", r".{20,}", "Bearer sk-8fJ2kQ91xZpL0vTq", "variable_corrupted"),
        ("OUR_API_KEY", ".+", '"sk-8fJ2kQ91xZpL0vTq"', "variable_corrupted"),
        ("OUR_API_KEY", r"^\S+$", "changeme", "variable_placeholder"),
        ("DATABASE_URL", ".+", "$(PG_URL)", "variable_corrupted"),
        ("SAMESITE", "^(Strict|Lax|None)$", "None", None),
        ("LOG_LEVEL", "none|debug|info", "none", None),
        ("LOG_LEVEL", r"^(?:debug|none)$", "none", None),
        ("LOG_LEVEL", "[a-z]+", "none", "variable_placeholder"),
        ("DEMO_TOKEN", r"^a\.test|real$", "a.test", None),
    ],
)
def test_pattern_allows_only_what_it_spells_out(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, name: str, pattern: str, value: str, code: str | None
) -> None:
    monkeypatch.setenv(name, value)
    outcome = result(EnvironmentVariable(name, pattern))
    assert (outcome.problem and outcome.problem.code) == code


@pytest.mark.parametrize(("name", "value"), [("hf_home", "/models"), ("gsk_url", "x"), ("EXTRA_OPTIONS", "{}")])
def test_name_like_the_beginning_of_a_key_and_empty_object_are_healthy(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert result(EnvironmentVariable(name)).status is Status.HEALTHY


def test_a_pattern_may_be_compiled(result: RunCheck, problem: FindProblem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODE", "none")
    compiled: Any = re.compile("^(none|info)$")
    assert result(EnvironmentVariable("MODE", compiled)).status is Status.HEALTHY
    monkeypatch.setenv("MODE", "other")
    assert problem(EnvironmentVariable("MODE", compiled)).code == "variable_mismatch"


@pytest.mark.parametrize("pattern", ["(", "(" * 5000 + ")" * 5000, "a{99999999999999999999}", 5, ["x"]])
def test_invalid_pattern_is_reported(problem: FindProblem, monkeypatch: pytest.MonkeyPatch, pattern: Any) -> None:
    monkeypatch.setenv("MODE", "x")
    assert problem(EnvironmentVariable("MODE", pattern)).code == "invalid_declaration"


@pytest.mark.parametrize(
    ("name", "pattern", "value", "code"),
    [
        ("DATABASE_REF", r"^(\$DATABASE_URL)$", "$DATABASE_URL", None),
        ("OUR_API_KEY", r"^\{\{ key \}\}$", "{{ key }}", None),
        ("OUR_API_KEY", re.escape("<your-key>"), "<your-key>", None),
        ("OUR_API_KEY", r"^(op://vault/item)$", "op://vault/item", None),
        ("OUR_API_KEY", re.compile("^(CHANGEME)$", re.IGNORECASE), "changeme", None),
        ("OUR_API_KEY", r"^sk_(test|live)_xxxx$", "sk_test_xxxx", None),
        ("DB_PASSWORD", r"^(postgres)$", "postgres", None),
        ("OUR_API_KEY", r"^\$\w+$", "$DATABASE_URL", "variable_placeholder"),
        ("OUR_API_KEY", r"^op://.+$", "op://vault/item", "variable_corrupted"),
        ("OUR_API_KEY", r"^sk_(test|live)_\w+$", "sk_test_xxxx", "variable_placeholder"),
        ("OUR_API_KEY", r"", "changeme", "variable_placeholder"),
    ],
)
def test_pattern_allows_a_placeholder_that_it_spells_out(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, name: str, pattern: Any, value: str, code: str | None
) -> None:
    """A pattern that matches only the value allows it, in any spelling. A more general pattern does not."""
    monkeypatch.setenv(name, value)
    outcome = result(EnvironmentVariable(name, pattern))
    assert (outcome.problem and outcome.problem.code) == code
    assert value not in repr(outcome)


@pytest.mark.parametrize("value", ["changeme", "$DATABASE_URL", "op://vault/item", "postgres", "none", " padded ", ""])
@pytest.mark.parametrize("collection", [list, tuple, set, frozenset])
def test_allowed_value_is_healthy(
    result: RunCheck,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    collection: Callable[[list[str]], Collection[str]],
) -> None:
    """A value that the declaration allows is intended, even if it is short or empty or a placeholder."""
    monkeypatch.setenv("DB_PASSWORD", value)
    outcome = result(EnvironmentVariable("DB_PASSWORD", min_bytes=100, allow=collection([value, "other"])))
    assert outcome.status is Status.HEALTHY


def test_neither_a_placeholder_nor_the_allowed_values_are_shown(
    problem: FindProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that is not one of the allowed ones is checked as usual."""
    monkeypatch.setenv("OUR_API_KEY", "your-api-key-here")
    check = EnvironmentVariable("OUR_API_KEY", allow=["our-local-key-of-words"])
    found = problem(check)
    assert found.code == "variable_placeholder"
    assert "allow" in found.hint
    assert "your-api-key-here" not in repr(found) + repr(check)
    assert "our-local-key-of-words" not in repr(found) + repr(check) + repr(check.labels)


@pytest.mark.parametrize("allow", ["changeme", b"changeme", ["a", 5], {"a": "b"}, None, 5])
def test_allow_that_is_not_a_list_of_texts_is_reported(
    problem: FindProblem, monkeypatch: pytest.MonkeyPatch, allow: Any
) -> None:
    """A single text is invalid because it would allow each of its parts."""
    monkeypatch.setenv("OUR_API_KEY", "x")
    found = problem(EnvironmentVariable("OUR_API_KEY", allow=allow))
    assert found.code == "invalid_declaration"
    assert "changeme" not in repr(found)


def test_unhealthy_problem_outranks_a_well_known_password(
    problem: FindProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unhealthy problem takes precedence over one that is only degraded."""
    monkeypatch.setenv("DB_PASSWORD", "postgres")
    assert problem(EnvironmentVariable("DB_PASSWORD", "^x")).code == "variable_mismatch"
    assert problem(EnvironmentVariable("DB_PASSWORD", min_bytes=20)).code == "variable_too_short"
    assert problem(EnvironmentVariable("DB_PASSWORD")).code == "variable_placeholder"


@pytest.mark.parametrize(
    "name", ["PGPASSWORD", "DB_PASS", "MYSQL_PWD", "AUTHTOKEN", "APP_CLIENT_SECRET", "LICENSE_KEY"]
)
def test_usual_abbreviation_is_the_name_of_a_secret(
    problem: FindProblem, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "your-secret-here")
    assert problem(EnvironmentVariable(name)).code == "variable_placeholder"
