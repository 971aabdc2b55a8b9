"""Variables: absent, empty, corrupted on their way, too short, of another form. The value never appears."""

from __future__ import annotations

import re

import pytest

from healthguard.checks import EnvironmentVariable
from healthguard.status import Fault, Status

URL = "postgres://app:Tr0ub4dor@db/rsolv_platform_prod"


def test_an_absent_variable(problem, monkeypatch) -> None:
    monkeypatch.delenv("GUARDED", raising=False)
    told = problem(EnvironmentVariable("GUARDED"))
    assert (told.code, told.fault) == ("variable_missing", Fault.CONFIG)


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
def test_what_is_wrong_with_a_value(problem, monkeypatch, name, value, code) -> None:
    monkeypatch.setenv(name, value)
    told = problem(EnvironmentVariable(name))
    assert (told.code, told.fault) == (code, Fault.CONFIG)
    assert "Tr0ub4dor" not in repr(told)
    assert told.evidence["variable"] == name


def test_a_short_value(problem, monkeypatch) -> None:
    monkeypatch.setenv("GUARDED", "sevenly")
    told = problem(EnvironmentVariable("GUARDED", min_bytes=8))
    assert told.code == "variable_too_short"
    assert told.evidence == {"variable": "GUARDED", "bytes": 7, "min_bytes": 8}


def test_a_pattern_must_be_found(problem, result, monkeypatch) -> None:
    """As the post-mortem asks of DATABASE_URL, and as Django's RegexValidator does."""
    monkeypatch.setenv("GUARDED", "postgres://app:pw@db/rsolv_landing_prod")
    assert problem(EnvironmentVariable("GUARDED", "rsolv_platform_prod")).code == "variable_mismatch"
    assert problem(EnvironmentVariable("GUARDED", "^rsolv_landing_prod$")).code == "variable_mismatch"
    assert result(EnvironmentVariable("GUARDED", "rsolv_landing_prod")).status is Status.HEALTHY
    assert result(EnvironmentVariable("GUARDED", r"^postgres://.*/rsolv_landing_prod$")).status is Status.HEALTHY


@pytest.mark.parametrize("value", ["prod", "test", "false", "0", '{"a": 1}', "a b", URL])
def test_a_plain_variable_may_hold_any_word(result, monkeypatch, value) -> None:
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
def test_a_name_that_only_holds_such_a_word_is_plain(result, monkeypatch, name, value) -> None:
    monkeypatch.setenv(name, value)
    assert result(EnvironmentVariable(name)).problem is None


@pytest.mark.parametrize("name", ["SECRET_KEY_BASE", "LIVE_VIEW_SALT", "APIKEY", "STRIPE_API_KEY", "db_password"])
def test_a_name_that_ends_like_a_secrets(problem, monkeypatch, name) -> None:
    monkeypatch.setenv(name, "changeme")
    assert problem(EnvironmentVariable(name)).code == "variable_placeholder"


@pytest.mark.parametrize("value", ["sk-ant-api03-x1y2", URL, "a b", "x" * 70, ""])
def test_a_value_in_the_place_of_the_name_is_not_told(problem, value) -> None:
    told = problem(EnvironmentVariable(value))
    assert told.code == "misdeclared"
    assert not value or value not in repr(told)


def test_a_declared_pattern_outranks_the_guess(result, monkeypatch) -> None:
    monkeypatch.setenv("KEY_MODE", "test")
    assert result(EnvironmentVariable("KEY_MODE", "test|live")).status is Status.HEALTHY


def test_a_broken_pattern_is_told(problem, monkeypatch) -> None:
    monkeypatch.setenv("GUARDED", "x")
    assert problem(EnvironmentVariable("GUARDED", "(")).code == "misdeclared"


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
def test_a_pattern_excuses_only_what_it_spells_out(result, monkeypatch, name, pattern, value, code) -> None:
    monkeypatch.setenv(name, value)
    told = result(EnvironmentVariable(name, pattern))
    assert (told.problem and told.problem.code) == code


@pytest.mark.parametrize(("name", "value"), [("hf_home", "/models"), ("gsk_url", "x"), ("EXTRA_OPTIONS", "{}")])
def test_names_that_begin_like_keys_and_values_that_are_empty_objects(result, monkeypatch, name, value) -> None:
    monkeypatch.setenv(name, value)
    assert result(EnvironmentVariable(name)).status is Status.HEALTHY


def test_a_pattern_may_be_compiled(result, monkeypatch) -> None:
    monkeypatch.setenv("MODE", "none")
    compiled = re.compile("^(none|info)$")
    assert result(EnvironmentVariable("MODE", compiled)).status is Status.HEALTHY
    monkeypatch.setenv("MODE", "other")
    assert result(EnvironmentVariable("MODE", compiled)).problem.code == "variable_mismatch"


@pytest.mark.parametrize("pattern", ["(", "(" * 5000 + ")" * 5000, "a{99999999999999999999}", 5, ["x"]])
def test_what_is_no_pattern_is_misdeclared(problem, monkeypatch, pattern) -> None:
    monkeypatch.setenv("MODE", "x")
    assert problem(EnvironmentVariable("MODE", pattern)).code == "misdeclared"


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
def test_a_pattern_excuses_a_placeholder_that_it_spells_out(result, monkeypatch, name, pattern, value, code) -> None:
    """A pattern that fits nothing but the value excuses it, in whatever way it is written; a wider one does not."""
    monkeypatch.setenv(name, value)
    told = result(EnvironmentVariable(name, pattern))
    assert (told.problem and told.problem.code) == code
    assert value not in repr(told)


@pytest.mark.parametrize("value", ["changeme", "$DATABASE_URL", "op://vault/item", "postgres", "none", " padded ", ""])
@pytest.mark.parametrize("collection", [list, tuple, set, frozenset])
def test_allowed_value_is_healthy(result, monkeypatch, value, collection) -> None:
    """A value that the declaration allows is meant, whatever it looks like."""
    monkeypatch.setenv("DB_PASSWORD", value)
    told = result(EnvironmentVariable("DB_PASSWORD", min_bytes=100, allow=collection([value, "other"])))
    assert told.status is Status.HEALTHY


def test_value_that_is_not_allowed_is_judged_and_neither_is_shown(problem, monkeypatch) -> None:
    """The message names neither the value nor those that are allowed."""
    monkeypatch.setenv("OUR_API_KEY", "your-api-key-here")
    check = EnvironmentVariable("OUR_API_KEY", allow=["our-local-key-of-words"])
    told = problem(check)
    assert told.code == "variable_placeholder"
    assert "allow" in told.hint
    assert "your-api-key-here" not in repr(told) + repr(check)
    assert "our-local-key-of-words" not in repr(told) + repr(check) + repr(check.labels)


@pytest.mark.parametrize("allow", ["changeme", b"changeme", ["a", 5], {"a": "b"}, None, 5])
def test_allow_that_is_not_a_list_of_texts_is_misdeclared(problem, monkeypatch, allow) -> None:
    """A text alone would allow each of its parts."""
    monkeypatch.setenv("OUR_API_KEY", "x")
    told = problem(EnvironmentVariable("OUR_API_KEY", allow=allow))
    assert told.code == "misdeclared"
    assert "changeme" not in repr(told)


def test_well_known_password_of_another_form_is_a_mismatch(problem, monkeypatch) -> None:
    """What makes the variable unhealthy comes before what is only degraded."""
    monkeypatch.setenv("DB_PASSWORD", "postgres")
    assert problem(EnvironmentVariable("DB_PASSWORD", "^x")).code == "variable_mismatch"
    assert problem(EnvironmentVariable("DB_PASSWORD", min_bytes=20)).code == "variable_too_short"
    assert problem(EnvironmentVariable("DB_PASSWORD")).code == "variable_placeholder"


@pytest.mark.parametrize(
    "name", ["PGPASSWORD", "DB_PASS", "MYSQL_PWD", "AUTHTOKEN", "APP_CLIENT_SECRET", "LICENSE_KEY"]
)
def test_other_names_that_end_like_a_secrets(problem, monkeypatch, name) -> None:
    """The usual abbreviations are names of secrets, too."""
    monkeypatch.setenv(name, "your-secret-here")
    assert problem(EnvironmentVariable(name)).code == "variable_placeholder"
