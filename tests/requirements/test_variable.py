"""VariableRequirement judges a value as EnvironmentVariable does in a running container."""

from __future__ import annotations

import re
from typing import Any

import pytest

from healthguard.checks import EnvironmentVariable
from healthguard.requirements import VariableRequirement
from healthguard.requirements.variable import digests_of
from healthguard.status import Status
from tests.support.fixture_types import RunCheck

CASES: list[tuple[dict[str, Any], str, str | None]] = [
    ({}, "pq8Zr2mVx7Lk4Tn9", None),
    ({}, "", "variable_empty"),
    ({"min_bytes": 0}, "", None),
    ({"allow": [""]}, "", None),
    ({}, "pq8Zr2mVx7Lk4Tn9\n", "variable_corrupted"),
    ({}, '"pq8Zr2mVx7Lk4Tn9"', "variable_corrupted"),
    ({}, "SHOP_TOKEN=pq8Zr2mVx7Lk4Tn9", "variable_corrupted"),
    ({}, "changeme", "variable_placeholder"),
    ({"allow": ["changeme"]}, "changeme", None),
    ({"pattern": "^(changeme|other)$"}, "changeme", None),
    ({"min_bytes": 20}, "pq8Zr2mVx7Lk4Tn9", "variable_too_short"),
    ({"pattern": "^sk_"}, "pq8Zr2mVx7Lk4Tn9", "variable_mismatch"),
    ({"pattern": "^PQ"}, "pq8Zr2mVx7Lk4Tn9", "variable_mismatch"),
    ({"pattern": re.compile("^PQ", re.IGNORECASE)}, "pq8Zr2mVx7Lk4Tn9", None),
]


def requirement_of(check: EnvironmentVariable) -> VariableRequirement:
    (requirement,) = check.needs()
    return requirement


@pytest.mark.parametrize(("options", "value", "code"), CASES)
def test_value_has_the_problem_of_the_check(
    options: dict[str, Any], value: str, code: str | None, result: RunCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code and the texts are those of a running container."""
    monkeypatch.setenv("SHOP_TOKEN", value)
    check = EnvironmentVariable("SHOP_TOKEN", **options)
    found = requirement_of(check).problem("SHOP_TOKEN", value)
    assert (found and found.code) == code
    assert found == result(check).problem


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("CACHE_URL", "redis://:Zr2mVx7Lk4Tn9@cache:6379/0", Status.HEALTHY),
        ("BROKER_URL", "amqp://guest:guest@mq/", Status.DEGRADED),
        ("BROKER_URL", "amqp://user:<password>@mq/", Status.UNHEALTHY),
    ],
)
def test_default_password_is_minor_if_the_check_is_only_degraded(
    name: str, value: str, status: Status, result: RunCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The severity of a problem is that of the check."""
    monkeypatch.setenv(name, value)
    assert result(EnvironmentVariable(name)).status is status
    judgement = VariableRequirement((name,)).judge(name, value)
    is_minor = None if judgement is None else judgement.is_minor
    assert {None: Status.HEALTHY, True: Status.DEGRADED, False: Status.UNHEALTHY}[is_minor] is status


SENTENCE = "We are closed on Sunday."


@pytest.mark.parametrize(
    ("name", "value", "is_minor"),
    [
        ("SHOP_BANNER", f"{SENTENCE}\n", True),
        ("SHOP_BANNER", f" {SENTENCE}", True),
        ("GREETING", f"{SENTENCE}\r\n", True),
        # A single word is often compared, like the name of a mode.
        ("SHOP_MODE", "production\n", False),
        # The blanks do not make it a text for people.
        ("SHOP_PASSWORD", "correct horse battery staple\n", False),
        ("SHOP_TOKEN", f"{SENTENCE}\n", False),
        ("SHOP_DSN", "host=db dbname=shop\n", False),
        ("SHOP_OPTIONS", "host=db dbname=shop\n", False),
        ("ALLOWED_HOSTS", "a.example b.example\n", False),
        ("UPSTREAM", "https://a.example https://b.example\n", False),
        ("OTEL_HEADERS", "Bearer 8fJ2kQ91xZpL0vTq\n", False),
        # Other flaws of such a text count as before.
        ("SHOP_BANNER", f"\ufeff{SENTENCE}\n", False),
        ("SHOP_BANNER", "Closed on $(SHOP_DAY) now\n", False),
        ("SHOP_BANNER", "{{ the banner }}\n", False),
    ],
)
def test_whitespace_around_a_text_of_several_words_is_minor(name: str, value: str, is_minor: bool) -> None:
    """A text for people works with a line break at its end; a secret, an address and a single word do not."""
    judgement = VariableRequirement((name,)).judge(name, value)
    assert judgement is not None
    assert judgement.is_minor is is_minor


@pytest.mark.parametrize("name", ["EMAIL_SUBJECT_PREFIX", "TITLE_SUFFIX", "LIST_SEPARATOR", "CSV_DELIMITER"])
def test_blank_around_a_part_of_a_text_is_intended(name: str) -> None:
    """Django's EMAIL_SUBJECT_PREFIX ends with a blank by default. A line break is damage in any variable."""
    assert VariableRequirement((name,)).judge(name, "[Shop] ") is None
    assert VariableRequirement((name,)).judge(name, "[Shop]\n") is not None


def test_wrong_length_counts_more_than_whitespace_around_a_text() -> None:
    """A minor flaw does not hide that a value is too short."""
    found = VariableRequirement(("SHOP_BANNER",), min_bytes=99).problem("SHOP_BANNER", f"{SENTENCE}\n")
    assert found is not None
    assert found.code == "variable_too_short"


def test_allowed_values_are_kept_as_digests() -> None:
    """A requirement does not contain an allowed value."""
    requirement = requirement_of(EnvironmentVariable("SHOP_TOKEN", allow=["demo-key"]))
    assert requirement.allowed == digests_of(["demo-key"])
    assert "demo-key" not in repr(requirement)


def test_value_with_lone_surrogates_is_judged() -> None:
    """A JSON manifest may contain half of a surrogate pair."""
    found = VariableRequirement(("SHOP_NAME",), min_bytes=99).problem("SHOP_NAME", "shop\ud800")
    assert found is not None
    assert found.code == "variable_too_short"
