"""SecretKey: keys that are empty, short, weak, corrupted or placeholders."""

from __future__ import annotations

import os
import random
import secrets
import string

import pytest
from django.core.checks.security.base import check_secret_key
from django.test import override_settings

from healthguard.checks import EnvironmentVariable, SecretKey
from healthguard.requirements.secret_key import is_weak
from healthguard.status import Fault, Status
from tests.support.fixture_types import FindProblem, RunCheck
from tests.support.results import problem_of

GOOD = "k3y-" + "Zq8$vLr2!mXw7#pTn4&".join("abcdefgh")


@pytest.mark.parametrize("size", [1, 10, 49])
def test_short_key_is_reported_with_its_length(problem: FindProblem, size: int) -> None:
    with override_settings(SECRET_KEY=secrets.token_hex(32)[:size]):
        found = problem(SecretKey(min_bytes=50))
    assert (found.code, found.fault) == ("secret_key_too_short", Fault.CONFIG)
    assert f"{size} bytes" in found.message
    assert found.evidence == {"bytes": size, "min_bytes": 50}


@pytest.mark.parametrize("key", ["", None])
def test_empty_key_is_reported(problem: FindProblem, key: str | None) -> None:
    with override_settings(SECRET_KEY=key):
        found = problem(SecretKey())
    assert found.code == "secret_key_empty"
    assert "0 bytes" in found.message


def test_length_is_counted_in_bytes(problem: FindProblem) -> None:
    key = "é" * 20 + "abcdefghij0123456789"  # 40 characters, 60 bytes
    with override_settings(SECRET_KEY=key):
        assert problem(SecretKey(min_bytes=60)).code != "secret_key_too_short"
        assert problem(SecretKey(min_bytes=61)).code == "secret_key_too_short"


def test_good_key_is_healthy(result: RunCheck) -> None:
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
def test_unusable_key_of_the_right_length_is_reported(problem: FindProblem, key: str, code: str) -> None:
    with override_settings(SECRET_KEY=key, DEBUG=False):
        found = problem(SecretKey())
    assert found.code == code
    assert key.strip() not in repr(found)


def test_a_weak_key_with_debug_is_only_degraded(result: RunCheck) -> None:
    with override_settings(SECRET_KEY="django-insecure-" + GOOD, DEBUG=True):
        assert result(SecretKey()).status is Status.DEGRADED


def test_a_weak_fallback_is_degraded(result: RunCheck) -> None:
    with override_settings(SECRET_KEY=GOOD, SECRET_KEY_FALLBACKS=["short", GOOD[::-1]]):
        outcome = result(SecretKey())
    found = problem_of(outcome)
    assert outcome.status is Status.DEGRADED
    assert found.code == "secret_key_fallback_weak"
    assert found.evidence["weak"] == 1


@pytest.mark.parametrize(
    "key",
    [
        "@y0!^@teoeus9-^h&z==fe$pb^pop$=#niy(cjt&0pdidfcht2",
        "(ta__b#atjf!xta--$t9kski&ae&6@2a!6+n(_vpieux3(=$^x",
        "yptc$sj2ac)fiq(of!u1^=56fr(o__z-zg9pw&)o!d@p!o*o+u",
        "(ne2st_(d)$@f@nj%!r2xte=bkm#rtakl-a-7gaf%g!=rdn5la",
    ],
)
def test_key_of_startproject_is_weak_and_not_a_placeholder(
    problem: FindProblem, result: RunCheck, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """The words of the prefix are not part of the random key."""
    with override_settings(SECRET_KEY=f"django-insecure-{key}", DEBUG=True):
        assert problem(SecretKey()).code == "secret_key_weak"
    monkeypatch.setenv("DJANGO_SECRET_KEY", f"django-insecure-{key}")
    assert result(EnvironmentVariable("DJANGO_SECRET_KEY")).problem is None


def test_prefix_of_startproject_does_not_hide_a_placeholder(problem: FindProblem) -> None:
    with override_settings(SECRET_KEY=f"django-insecure-{'change-me-please-' * 5}"):
        assert problem(SecretKey()).code == "secret_key_placeholder"


@pytest.mark.parametrize("key", [GOOD, "django-insecure-" + GOOD, "abcd" * 20, "short", "x" * 50, GOOD[:50], GOOD[:49]])
def test_key_is_weak_if_django_reports_it(key: str) -> None:
    with override_settings(SECRET_KEY=key):
        assert is_weak(key) is bool(check_secret_key(None))


def printable_key(seed: int) -> str:
    """Return a key that is generated as in many tutorials and contains a character that cannot be printed."""
    rng = random.Random(seed)
    return next(key for key in iter(lambda: "".join(rng.choices(string.printable, k=50)), None) if "\x0b" in key[1:-1])


@pytest.mark.parametrize("seed", range(40))
def test_key_of_string_printable_is_degraded(result: RunCheck, seed: int) -> None:
    """Such a key works, so the check is not unhealthy, and the message states that the key works."""
    key = printable_key(seed)
    with override_settings(SECRET_KEY=key, DEBUG=False):
        outcome = result(SecretKey())
    found = problem_of(outcome)
    assert outcome.status is Status.DEGRADED
    assert found.code == "secret_key_unprintable"
    assert "It works" in found.message
    assert "each worker" in found.hint
    assert key not in repr(outcome)


@pytest.mark.usefixtures("untraced")
def test_no_key_of_string_printable_is_unhealthy(result: RunCheck) -> None:
    """White space or quotes around a random key are coincidences, and not signs of a corrupted key."""
    rng = random.Random(11)
    keys = ["".join(rng.choices(string.printable, k=50)) for _ in range(1_000)]
    statuses: list[Status] = []
    for key in keys:
        with override_settings(SECRET_KEY=key, DEBUG=False):
            statuses.append(result(SecretKey()).status)
    assert statuses.count(Status.UNHEALTHY) <= 1
    assert statuses.count(Status.DEGRADED) >= 600


@pytest.mark.parametrize(
    "key", [f"{GOOD}\n", f'"{GOOD}"', f" {GOOD}", "op://vault/django/secret-key-of-the-shop\x0bproduction"]
)
def test_corrupted_key_stays_unhealthy(result: RunCheck, key: str) -> None:
    """A line break or quotes around a key of ordinary characters were added after the key was generated."""
    with override_settings(SECRET_KEY=key, DEBUG=False):
        outcome = result(SecretKey())
    assert outcome.status is Status.UNHEALTHY
    assert problem_of(outcome).code == "secret_key_corrupted"


def test_key_of_random_bytes_is_degraded(result: RunCheck) -> None:
    """Django accepts keys of bytes, and random bytes contain control characters."""
    key = b"\x01" + os.urandom(64)
    with override_settings(SECRET_KEY=key, DEBUG=False):
        outcome = result(SecretKey())
    assert problem_of(outcome).code == "secret_key_unprintable"
    assert outcome.status is Status.DEGRADED


def test_weak_key_with_control_charactersis_weak(result: RunCheck) -> None:
    """An unhealthy problem takes precedence over one that is only degraded."""
    with override_settings(SECRET_KEY="django-insecure-\x0b" + GOOD, DEBUG=False):
        outcome = result(SecretKey())
    assert problem_of(outcome).code == "secret_key_weak"
    assert outcome.status is Status.UNHEALTHY
