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
