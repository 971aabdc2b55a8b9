"""Django's own secrets: SECRET_KEY and SECRET_KEY_FALLBACKS."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from django.conf import settings
from django.core.checks.security.base import (
    SECRET_KEY_INSECURE_PREFIX,
    SECRET_KEY_MIN_LENGTH,
    SECRET_KEY_MIN_UNIQUE_CHARACTERS,
)
from django.core.exceptions import ImproperlyConfigured

from healthguard import values
from healthguard.checks.base import Check
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.placeholders import Nature
from healthguard.status import Fault, Problem

_HINT = (
    "Set SECRET_KEY to a long random value, from the environment or a Secret: "
    "python -c 'import secrets; print(secrets.token_urlsafe(64))'"
)
# Signs that neither Django's own keys nor base64 and its like have.
_RARE = frozenset("\"'`<>{}[]|\\;:,?~./")
_MANY_RARE = 4
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


@dataclasses.dataclass(repr=False)
class SecretKey(Check):
    """SECRET_KEY is long enough, and neither a placeholder nor weak by Django's own rules.

    The rules are security.W009 and, for SECRET_KEY_FALLBACKS, security.W025. With DEBUG, where Django does not apply
    them either, a weak key is only degraded; so is a weak fallback, which is how a weak key is rotated out.

    Args:
        min_bytes: how long it must be (bytes in UTF-8). Django asks for 50, Phoenix for 64.
    """

    min_bytes: int = 50

    def run(self) -> None:
        """Judge the key.

        Raises:
            Unhealthy: the key is empty, too short, corrupted, a placeholder or weak.
            Degraded: a weak key with DEBUG, a weak fallback, or a key with control characters.
        """
        for problem in self.misdeclared():
            raise Unhealthy.of(problem)
        key = self._key()
        size = len(key.encode("utf-8", "surrogateescape"))
        if size < self.min_bytes:
            raise Unhealthy(
                "secret_key_too_short",
                f"SECRET_KEY has {size} bytes; it must have at least {self.min_bytes}.",
                fault=Fault.CONFIG,
                hint=_HINT,
                evidence={"bytes": size, "min_bytes": self.min_bytes},
            )
        corruption = values.corruption(key, names=["SECRET_KEY"])
        is_chance = corruption is not None and _is_chance(key)
        flaw = (None if is_chance else corruption) or values.placeholder(key, nature=Nature.RANDOM)
        if flaw is not None:
            raise Unhealthy(
                f"secret_key_{flaw.kind}",
                f"SECRET_KEY {flaw.what}.",
                fault=Fault.CONFIG,
                hint=flaw.remedy if flaw.kind is values.Kind.CORRUPTED else _HINT,
                evidence={"bytes": size},
            )
        self._judge_strength(key)
        if is_chance:
            raise Degraded(
                "secret_key_unprintable",
                "SECRET_KEY contains control characters or white space. It works, but not every copy of it will.",
                fault=Fault.CONFIG,
                hint="If the settings draw it when they are imported, each worker and each restart has another one, "
                f"and sessions and signed links become invalid. {_HINT}",
                evidence={"bytes": size},
            )

    def misdeclared(self) -> Iterator[Problem]:
        """What is wrong with the declaration itself."""
        if not isinstance(self.min_bytes, int) or isinstance(self.min_bytes, bool) or self.min_bytes < 0:
            yield Problem.misdeclared("min_bytes of SecretKey is not a whole number.")

    def _key(self) -> str:
        try:
            key = settings.SECRET_KEY
        except (ImproperlyConfigured, AttributeError):
            key = ""
        if not key:
            raise Unhealthy(
                "secret_key_empty",
                "SECRET_KEY is empty (0 bytes).",
                fault=Fault.CONFIG,
                hint=f"{_HINT}. Look at the Secret it is mounted from: an empty value there is legal.",
                evidence={"bytes": 0, "min_bytes": self.min_bytes},
            )
        return _text(key)

    def _judge_strength(self, key: str) -> None:
        if _is_weak(key):
            raise (Degraded if settings.DEBUG else Unhealthy)(
                "secret_key_weak",
                "SECRET_KEY is weak: fewer than 50 characters, fewer than 5 different ones, or made by startproject "
                "('django-insecure-…'): security.W009.",
                fault=Fault.CONFIG,
                hint=_HINT,
                evidence={"rule": "security.W009"},
            )
        weak = sum(_is_weak(_text(fallback)) for fallback in settings.SECRET_KEY_FALLBACKS)
        if weak:
            raise Degraded(
                "secret_key_fallback_weak",
                f"{weak} of the SECRET_KEY_FALLBACKS are weak: security.W025.",
                fault=Fault.CONFIG,
                hint="Drop the weak fallbacks as soon as what they signed has expired.",
                evidence={"rule": "security.W025", "weak": weak},
            )


def _text(key: str | bytes) -> str:
    return key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else str(key)


def _is_chance(key: str) -> bool:
    """Return True if white space, quotes and control characters are chance, as in a key drawn from all characters."""
    if not key.isascii():
        # Random bytes, unless it is text.
        return values.holds_control(key)
    is_drawn = values.holds_control(key) or len(set(key) & _RARE) >= _MANY_RARE
    return is_drawn and values.corruption(_UNPRINTABLE.sub("", key).strip("\"'` "), names=["SECRET_KEY"]) is None


def _is_weak(key: str) -> bool:
    """Django's rule, of its own measures; Django's function cannot judge a key of bytes, which Django takes."""
    return (
        len(key) < SECRET_KEY_MIN_LENGTH
        or len(set(key)) < SECRET_KEY_MIN_UNIQUE_CHARACTERS
        or key.startswith(SECRET_KEY_INSECURE_PREFIX)
    )
