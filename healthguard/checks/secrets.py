"""Checks of Django's own secrets: SECRET_KEY and SECRET_KEY_FALLBACKS."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from healthguard.checks.base import Check, error_of
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.requirements.secret_key import SecretKeyRequirement, is_weak, judge_secret_key
from healthguard.requirements.variable import is_variable_name
from healthguard.secret_values.sabotaged import cut_short
from healthguard.service.sabotages import Sabotage
from healthguard.status import Code, Fault, Problem


@dataclasses.dataclass(repr=False)
class SecretKey(Check):
    """A check that SECRET_KEY is long enough, is not a placeholder and is not weak by Django's own rules.

    The rules are security.W009 and, for SECRET_KEY_FALLBACKS, security.W025. With DEBUG a weak key is only degraded,
    because Django does not apply the rules then either. A weak fallback is also only degraded, because this is the way
    to rotate out a weak key.

    Args:
        min_bytes: the minimum length of the key (bytes in UTF-8). Django requires 50, Phoenix 64.
        env: the environment variable from which the settings read the key, so that manifests are checked for it; None
            if they read it from elsewhere.
    """

    min_bytes: int = 50
    env: str | None = dataclasses.field(default=None, repr=False)

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
        judgement = judge_secret_key(key, self.min_bytes)
        if judgement is None or judgement.is_minor:
            self._check_fallbacks()
        if judgement is not None:
            is_tolerated = settings.DEBUG and judgement.problem.code == Code.SECRET_KEY_WEAK
            raise Degraded.of(judgement.problem) if is_tolerated else error_of(judgement)

    def needs(self) -> Iterator[SecretKeyRequirement]:
        """Yield the variable from which the settings read the key, if it is declared."""
        if self.env is not None:
            yield SecretKeyRequirement((self.env,), min_bytes=self.min_bytes)

    def declaration_errors(self) -> Iterator[Problem]:
        """Yield the problems of the declaration itself."""
        if not isinstance(self.min_bytes, int) or isinstance(self.min_bytes, bool) or self.min_bytes < 0:
            yield Problem.invalid_declaration("min_bytes of SecretKey must be a whole number of at least 0.")
        if self.env is not None and not is_variable_name(self.env):
            yield Problem.invalid_declaration("env of SecretKey must be the name of an environment variable.")

    def _key(self) -> str:
        try:
            key = _text(settings.SECRET_KEY)
        except (ImproperlyConfigured, AttributeError):
            key = ""
        return str(self._altered(key))

    def _check_fallbacks(self) -> None:
        weak = sum(is_weak(_text(fallback)) for fallback in settings.SECRET_KEY_FALLBACKS)
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
