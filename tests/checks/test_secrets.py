"""SECRET_KEY: the 0 bytes of the outage, and everything short of a good key."""

from __future__ import annotations

import os
import random
import secrets
import string

import pytest
from django.test import override_settings

from healthguard.checks import SecretKey
from healthguard.status import Fault, Status

GOOD = "k3y-" + "Zq8$vLr2!mXw7#pTn4&".join("abcdefgh")


@pytest.mark.parametrize("size", [1, 10, 49])
def test_a_short_key_is_told_with_its_bytes(problem, size) -> None:
    with override_settings(SECRET_KEY=secrets.token_hex(32)[:size]):
        told = problem(SecretKey(min_bytes=50))
    assert (told.code, told.fault) == ("secret_key_too_short", Fault.CONFIG)
    assert f"{size} bytes" in told.message
    assert told.evidence == {"bytes": size, "min_bytes": 50}


@pytest.mark.parametrize("key", ["", None])
def test_an_empty_key_is_said_to_be_empty(problem, key) -> None:
    with override_settings(SECRET_KEY=key):
        told = problem(SecretKey())
    assert told.code == "secret_key_empty"
    assert "0 bytes" in told.message


def test_bytes_count_not_characters(result) -> None:
    key = "é" * 20 + "abcdefghij0123456789"  # 40 characters, 60 bytes
    with override_settings(SECRET_KEY=key):
        assert result(SecretKey(min_bytes=60)).problem.code != "secret_key_too_short"
        assert result(SecretKey(min_bytes=61)).problem.code == "secret_key_too_short"


def test_a_good_key_is_silent(result) -> None:
    with override_settings(SECRET_KEY=GOOD, DEBUG=False):
        assert result(SecretKey(min_bytes=64)).status is Status.HEALTHY
    with override_settings(SECRET_KEY=GOOD.encode()):
        assert result(SecretKey(min_bytes=64)).status is Status.HEALTHY


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("django-insecure-" + GOOD, "secret_key_weak"),
        ("abcdefgh" * 10 + "\n", "secret_key_corrupted"),
        ("ab" * 40, "secret_key_placeholder"),
        ("changeme-" * 8, "secret_key_placeholder"),
        ("${SECRET_KEY_FROM_SOMEWHERE_" + "A" * 60 + "}", "secret_key_placeholder"),
    ],
)
def test_a_weak_key_of_the_right_length(problem, key, code) -> None:
    with override_settings(SECRET_KEY=key, DEBUG=False):
        told = problem(SecretKey())
    assert told.code == code
    assert key.strip() not in repr(told)


def test_a_weak_key_with_debug_is_only_degraded(result) -> None:
    with override_settings(SECRET_KEY="django-insecure-" + GOOD, DEBUG=True):
        assert result(SecretKey()).status is Status.DEGRADED


def test_a_weak_fallback_is_degraded(result) -> None:
    with override_settings(SECRET_KEY=GOOD, SECRET_KEY_FALLBACKS=["short", GOOD[::-1]]):
        told = result(SecretKey())
    assert told.status is Status.DEGRADED
    assert told.problem.code == "secret_key_fallback_weak"
    assert told.problem.evidence["weak"] == 1


@pytest.mark.parametrize("key", [GOOD, "django-insecure-" + GOOD, "abcd" * 20, "short", "x" * 50, GOOD[:50], GOOD[:49]])
def test_weak_is_what_django_calls_weak(key) -> None:
    from django.core.checks.security.base import check_secret_key

    from healthguard.checks.secrets import _is_weak

    with override_settings(SECRET_KEY=key):
        assert _is_weak(key) is bool(check_secret_key(None))


def printable_key(seed: int) -> str:
    """A key as many tutorials draw it, with a character that cannot be printed."""
    rng = random.Random(seed)
    return next(key for key in iter(lambda: "".join(rng.choices(string.printable, k=50)), None) if "\x0b" in key[1:-1])


@pytest.mark.parametrize("seed", range(40))
def test_key_of_string_printable_is_degraded(result, seed) -> None:
    """It works, so it is degraded at most; the message says what is true of it."""
    key = printable_key(seed)
    with override_settings(SECRET_KEY=key, DEBUG=False):
        told = result(SecretKey())
    assert told.status is Status.DEGRADED
    assert told.problem.code == "secret_key_unprintable"
    assert "It works" in told.problem.message
    assert "each worker" in told.problem.hint
    assert key not in repr(told)


@pytest.mark.usefixtures("untraced")
def test_no_key_of_string_printable_is_unhealthy(result) -> None:
    """Neither white space around it nor quotes are more than chance."""
    rng = random.Random(11)
    keys = ["".join(rng.choices(string.printable, k=50)) for _ in range(1_000)]
    found = []
    for key in keys:
        with override_settings(SECRET_KEY=key, DEBUG=False):
            found.append(result(SecretKey()).status)
    assert found.count(Status.UNHEALTHY) <= 1
    assert found.count(Status.DEGRADED) >= 600


@pytest.mark.parametrize(
    "key", [f"{GOOD}\n", f'"{GOOD}"', f" {GOOD}", "op://vault/django/secret-key-of-the-shop\x0bproduction"]
)
def test_corrupted_key_stays_unhealthy(result, key) -> None:
    """A line break or quotes around a key without odd characters come from its way."""
    with override_settings(SECRET_KEY=key, DEBUG=False):
        told = result(SecretKey())
    assert told.status is Status.UNHEALTHY
    assert told.problem.code == "secret_key_corrupted"


def test_key_of_random_bytes_is_degraded(result) -> None:
    """Django takes keys of bytes, and random ones hold control characters."""
    key = b"\x01" + os.urandom(64)
    with override_settings(SECRET_KEY=key, DEBUG=False):
        told = result(SecretKey())
    assert told.problem.code == "secret_key_unprintable"
    assert told.status is Status.DEGRADED


def test_weak_key_with_control_characters_is_weak(result) -> None:
    """What makes a key unhealthy comes first."""
    with override_settings(SECRET_KEY="django-insecure-\x0b" + GOOD, DEBUG=False):
        told = result(SecretKey())
    assert told.problem.code == "secret_key_weak"
    assert told.status is Status.UNHEALTHY
