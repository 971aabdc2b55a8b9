"""The base of healthguard's own checks."""

from __future__ import annotations

import dataclasses

from health_check.base import HealthCheck

from healthguard.secret_values.showable import shown_fields


class Check(HealthCheck):
    """A check that shows only the plain names of its declaration, here and in django-health-check's own view."""

    def __repr__(self) -> str:
        fields = shown_fields(self._shown_fields(), self)
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in fields.items())})"

    @property
    def labels(self) -> dict[str, str]:
        """The labels for django-health-check's metrics."""
        fields = shown_fields(self._shown_fields(), self)
        return {"check": type(self).__name__, **{name: value.strip("'") for name, value in fields.items()}}

    def offline(self) -> HealthCheck | None:
        """Return a check of what can be known without a network or a database; None if that is nothing."""
        return None

    def _shown_fields(self) -> list[str]:
        return [field.name for field in dataclasses.fields(self) if field.repr]
