"""Checks of Django's own secrets: SECRET_KEY and SECRET_KEY_FALLBACKS."""

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

from healthguard.checks.base import Check
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.secret_values import values
from healthguard.secret_values.placeholders import Nature
from healthguard.secret_values.sabotaged import cut_short
from healthguard.service.sabotages import Sabotage
from healthguard.status import Code, Fault, Problem

_HINT = (
    "Set SECRET_KEY to a long random value from the environment or a Secret. Generate one with: "
    "python -c 'import secrets; print(secrets.token_urlsafe(64))'"
)
# Characters that occur neither in Django's own keys nor in base64 and similar encodings.
_RARE = frozenset("\"'`<>{}[]|\\;:,?~./")
_MANY_RARE = 4
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


@dataclasses.dataclass(repr=False)
class SecretKey(Check):
    """A check that SECRET_KEY is long enough, is not a placeholder and is not weak by Django's own rules.

    The rules are security.W009 and, for SECRET_KEY_FALLBACKS, security.W025. With DEBUG a weak key is only degraded,
    because Django does not apply the rules then either. A weak fallback is also only degraded, because this is the way
    to rotate out a weak key.

    Args:
        min_bytes: the minimum length of the key (bytes in UTF-8). Django requires 50, Phoenix 64.
    """

    min_bytes: int = 50

    needs_deployment = True

    def offline(self) -> SecretKey:
        """Return the check itself."""
        return self

    def sabotages(self) -> Iterator[Sabotage]:
        """Yield copies that read an empty key, one that is too short, and a placeholder."""
        yield Sabotage("the key is empty", self._sabotaged(lambda _: ""), [Code.SECRET_KEY_EMPTY])
        if self.min_bytes > 1:
            check = self._sabotaged(lambda key: cut_short(key, self.min_bytes - 1))
            yield Sabotage("the key is cut short", check, [Code.SECRET_KEY_TOO_SHORT])
        placeholder = "change-me-" * (self.min_bytes // 10 + 6)
        check = self._sabotaged(lambda _: placeholder)
        yield Sabotage("the key is a placeholder", check, [Code.SECRET_KEY_PLACEHOLDER])

    def run(self) -> None:
        """Check the key.

        Raises:
            Unhealthy: the key is empty, too short, corrupted, a placeholder or weak.
            Degraded: the key is weak with DEBUG, a fallback is weak, or the key contains control characters.
        """
        for problem in self.declaration_errors():
            raise Unhealthy.of(problem)
        key = self._key()
        size = len(key.encode("utf-8", "surrogateescape"))
        if size < self.min_bytes:
            raise Unhealthy(
                Code.SECRET_KEY_TOO_SHORT,
                f"SECRET_KEY has {size} bytes; it must have at least {self.min_bytes}.",
                fault=Fault.CONFIG,
                hint=_HINT,
                evidence={"bytes": size, "min_bytes": self.min_bytes},
            )
        corruption = values.corruption(key, names=["SECRET_KEY"])
        is_random = corruption is not None and _is_random(key)
        flaw = (None if is_random else corruption) or values.placeholder(key, nature=Nature.RANDOM)
        if flaw is not None:
            raise Unhealthy(
                Code(f"secret_key_{flaw.kind}"),
                f"SECRET_KEY {flaw.what}.",
                fault=Fault.CONFIG,
                hint=flaw.remedy if flaw.kind is values.ValueFault.CORRUPTED else _HINT,
                evidence={"bytes": size},
            )
        self._check_strength(key)
        if is_random:
            raise Degraded(
                Code.SECRET_KEY_UNPRINTABLE,
                "SECRET_KEY contains control characters or whitespace. It works, but copying it may change it.",
                fault=Fault.CONFIG,
                hint=f"{_HINT}. If the settings module generates the key on import, each worker and each restart has a "
                "different key, and sessions and signed links become invalid.",
                evidence={"bytes": size},
            )

    def declaration_errors(self) -> Iterator[Problem]:
        """Yield the problems of the declaration itself."""
        if not isinstance(self.min_bytes, int) or isinstance(self.min_bytes, bool) or self.min_bytes < 0:
            yield Problem.invalid_declaration("min_bytes of SecretKey must be a whole number of at least 0.")

    def _key(self) -> str:
        try:
            key = _text(settings.SECRET_KEY)
        except (ImproperlyConfigured, AttributeError):
            key = ""
        key = str(self._altered(key))
        if not key:
            raise Unhealthy(
                Code.SECRET_KEY_EMPTY,
                "SECRET_KEY is empty (0 bytes).",
                fault=Fault.CONFIG,
                hint=f"{_HINT}. {values.EMPTY.remedy}",
                evidence={"bytes": 0, "min_bytes": self.min_bytes},
            )
        return key

    def _check_strength(self, key: str) -> None:
        if _is_weak(key):
            raise (Degraded if settings.DEBUG else Unhealthy)(
                Code.SECRET_KEY_WEAK,
                "SECRET_KEY is weak by Django's check security.W009: it has fewer than 50 characters, has fewer than 5 "
                "different ones, or was generated by startproject ('django-insecure-…').",
                fault=Fault.CONFIG,
                hint=_HINT,
                evidence={"rule": "security.W009"},
            )
        weak = sum(_is_weak(_text(fallback)) for fallback in settings.SECRET_KEY_FALLBACKS)
        if weak:
            raise Degraded(
                Code.SECRET_KEY_FALLBACK_WEAK,
                f"SECRET_KEY_FALLBACKS contains weak keys ({weak}), which Django's check security.W025 reports.",
                fault=Fault.CONFIG,
                hint="Remove the weak fallbacks as soon as everything signed with them has expired.",
                evidence={"rule": "security.W025", "weak": weak},
            )


def _text(key: str | bytes) -> str:
    return key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else str(key)


def _is_random(key: str) -> bool:
    """Return True if whitespace, quotes and control characters are part of a key of random characters."""
    if not key.isascii():
        # Control characters show that the key consists of random bytes and is not text.
        return values.has_control_character(key)
    has_random_characters = values.has_control_character(key) or len(set(key) & _RARE) >= _MANY_RARE
    return (
        has_random_characters
        and values.corruption(_UNPRINTABLE.sub("", key).strip("\"'` "), names=["SECRET_KEY"]) is None
    )


def _is_weak(key: str) -> bool:
    """Return True if the key is weak by Django's rule and limits.

    Django's own function cannot check a key of bytes, although Django accepts such a key.
    """
    return (
        len(key) < SECRET_KEY_MIN_LENGTH
        or len(set(key)) < SECRET_KEY_MIN_UNIQUE_CHARACTERS
        or key.startswith(SECRET_KEY_INSECURE_PREFIX)
    )
