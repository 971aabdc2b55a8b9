"""Misspelled names are near, different ones are not."""

from __future__ import annotations

import pytest

from healthguard.kubernetes.environment.near_misses import NearNames, has_hash_of, is_near

NEAR = [
    ("API_KEY", "API_KYE"), ("API_KEY", "api_key"), ("API_KEY", "APIKEY"), ("API_KEY", "API-KEY"),
    ("API_KEY", "API_KEYS"), ("ANTHROPIC_API_KEY", "ANTHROPC_API_KEY"), ("shop-secrets", "shop-secret"),
    ("shop-secrets", "shop_secrets"), ("credentials", "credentails"), ("database-url", "databse-url"),
]  # fmt: skip
FAR = [
    ("redis-1", "redis-2"), ("app-dev", "app-prod"), ("app-main", "app-mail"), ("API_KEY", "API_KEY"),
    ("API_KEY", "API_URL"), ("db", "app"), ("shop", "shop-secrets"), ("", "a"), ("OPENAI_API_KEY", "MISTRAL_API_KEY"),
    ("app-auth", "app-oauth"), ("SECRET_KEY", "SECRET_SALT"), ("DATABASE_URL", "DATABASE_URI2"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), NEAR)
def test_misspelled_name_is_near(one: str, other: str) -> None:
    """One wrong letter, case or separator makes a name near another, in both directions."""
    assert (is_near(one, other), is_near(other, one)) == (True, True)


@pytest.mark.parametrize(("one", "other"), FAR)
def test_other_name_is_not_near(one: str, other: str) -> None:
    """Another word or number makes a different name."""
    assert (is_near(one, other), is_near(other, one)) == (False, False)


@pytest.mark.parametrize(
    ("hashed", "expected"),
    [
        ("env-5g2kd8hm7t", True),
        ("env-5g2kd8hm7", False),
        ("env-production", False),
        ("env", False),
        ("x-5g2kd8hm7t", False),
    ],
)
def test_hash_of_kustomize_is_recognized(hashed: str, expected: bool) -> None:
    """Only ten characters of kustomize's alphabet after a dash are a hash."""
    assert has_hash_of("env", hashed) is expected


@pytest.mark.parametrize(("one", "other"), [*NEAR, ("env", "env-5g2kd8hm7t")])
def test_near_name_is_found_among_many(one: str, other: str) -> None:
    """The search finds what the comparison of two names would find."""
    names = NearNames([other, *(name for pair in FAR for name in pair)])
    assert other in names.near(one)


@pytest.mark.parametrize(("one", "other"), FAR)
def test_other_name_is_not_found_among_many(one: str, other: str) -> None:
    """The search does not find other names."""
    assert NearNames([other]).near(one) == []
