"""SecretKeyRequirement judges a key as SecretKey does in a running container."""

from __future__ import annotations

import pytest
from django.core.checks.security import base
from django.test import override_settings

from healthguard.checks import SecretKey
from healthguard.requirements import SecretKeyRequirement, secret_key
from healthguard.status import Status
from tests.support.fixture_types import RunCheck

GOOD = "k3Vq9ZtLw2Xn7Rb5Yc8Md1Pf6Hg4Js0Ta-Eu_Io2Qp9Wl7Zx3Cv5Bn8Mk1Lj6Hg4F"


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (GOOD, None),
        ("", "secret_key_empty"),
        (GOOD[:30], "secret_key_too_short"),
        (f"{GOOD}\n", "secret_key_corrupted"),
        (f"SECRET_KEY={GOOD}", "secret_key_corrupted"),
        ("change-me-" * 8, "secret_key_placeholder"),
        (f"django-insecure-{GOOD}", "secret_key_weak"),
        (f"{GOOD}\x01\x02~?", "secret_key_unprintable"),
    ],
)
def test_key_has_the_problem_of_the_check(key: str, code: str | None, result: RunCheck) -> None:
    """The code, the texts and the severity are those of a running container."""
    with override_settings(SECRET_KEY=key, DEBUG=False):
        outcome = result(SecretKey())
    judgement = SecretKeyRequirement(("SECRET_KEY",)).judge("SECRET_KEY", key)
    assert (judgement and judgement.problem.code) == code
    assert (judgement and judgement.problem) == outcome.problem
    assert (judgement is not None and judgement.is_minor) is (outcome.status is Status.DEGRADED)


def test_key_with_control_characters_is_only_a_minor_problem() -> None:
    """Such a key works."""
    judgement = SecretKeyRequirement(("SECRET_KEY",)).judge("SECRET_KEY", f"{GOOD}\x01\x02~?")
    assert judgement is not None
    assert judgement.is_minor


def test_texts_name_the_variable() -> None:
    """A variable with another name than the setting is the one to fix."""
    found = SecretKeyRequirement(("DJANGO_SECRET_KEY",)).problem("DJANGO_SECRET_KEY", "")
    assert found is not None
    assert found.message == "DJANGO_SECRET_KEY is empty (0 bytes)."
    assert found.hint.startswith("Set DJANGO_SECRET_KEY to")


def test_limits_are_those_of_django() -> None:
    """They are written down, because Django's module imports Django."""
    assert secret_key.MIN_LENGTH == base.SECRET_KEY_MIN_LENGTH
    assert secret_key.MIN_UNIQUE_CHARACTERS == base.SECRET_KEY_MIN_UNIQUE_CHARACTERS
    assert secret_key.INSECURE_PREFIX == base.SECRET_KEY_INSECURE_PREFIX


def test_jobs_need_the_key() -> None:
    """A job that migrates the database imports the settings too."""
    assert SecretKeyRequirement(("SECRET_KEY",)).is_needed_by_jobs
