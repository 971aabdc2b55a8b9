"""The base of healthguard's own checks."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, Self

from health_check.base import HealthCheck

from healthguard.exceptions import Degraded, Unhealthy
from healthguard.requirements.requirement import Judgement, Requirement
from healthguard.secret_values.showable import shown_fields
from healthguard.service.sabotages import Sabotage

SABOTAGED_NAME = "healthguard_sabotage"
"""The name of a table or column that no database has, which a sabotage expects."""


def error_of(judgement: Judgement) -> Unhealthy | Degraded:
    """Return the exception that reports the problem of a value."""
    return (Degraded if judgement.is_minor else Unhealthy).of(judgement.problem)


class Check(HealthCheck):
    """A check that shows only the plain names of its declaration, here and in django-health-check's own view."""

    _alteration: Callable[[Any], Any] | None = None

    def __repr__(self) -> str:
        fields = shown_fields(self._shown_fields(), self)
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in fields.items())})"

    @property
    def needs_deployment(self) -> bool:
        """True if the result means something only in the environment of a deployment, and not in a test."""
        return False

    @property
    def labels(self) -> dict[str, str]:
        """The labels for django-health-check's metrics."""
        fields = shown_fields(self._shown_fields(), self)
        return {"check": type(self).__name__, **{name: value.strip("'") for name, value in fields.items()}}

    def offline(self) -> HealthCheck | None:
        """Return a check of what can be known without a network or a database; None if that is nothing."""
        return None

    def needs(self) -> Iterable[Requirement]:
        """Return what the check needs from the environment, so that manifests can be checked before a deployment.

        The result must not depend on the environment: it is also read where no secrets are.
        """
        return ()

    def sabotages(self) -> Iterable[Sabotage]:
        """Return broken copies of this check, which must fail when they are run. None of them writes anything."""
        return ()

    def _sabotaged(self, alteration: Callable[[Any], Any] | None = None, **options: Any) -> Self:
        """Return a copy with other options, or with an alteration of what it reads. It has its own cache."""
        sabotaged = copy.copy(self)
        for name, value in {**options, "_alteration": alteration}.items():
            setattr(sabotaged, name, value)
        initialize = getattr(sabotaged, "__post_init__", None)
        if initialize is not None:
            initialize()
        return sabotaged

    def _altered(self, value: Any) -> Any:
        """Return what the check must use in place of a value that it has read: in a sabotaged copy, another one."""
        return value if self._alteration is None else self._alteration(value)

    def _shown_fields(self) -> list[str]:
        return [field.name for field in dataclasses.fields(self) if field.repr]
