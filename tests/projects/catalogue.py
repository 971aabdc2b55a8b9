"""Which projects there are, on which engines."""

from __future__ import annotations

import pkgutil
from typing import TypeAlias

from tests.projects import settings

Engine: TypeAlias = str

POSTGRESQL = "postgresql"
SQLITE = "sqlite"
ENGINES = (POSTGRESQL, SQLITE)

_FOR_POSTGRESQL_ALONE = ("django-hordak", "django-pghistory", "django-pgviews-redux", "django-postgres-extra")

PROJECTS = tuple(
    module.name.replace("_", "-") for module in pkgutil.iter_modules(settings.__path__) if module.name != "common"
)
"""By the names of their distributions; each has a module of settings called like it."""


def engines_of(project: str) -> tuple[Engine, ...]:
    """Where ``project`` can run."""
    return (POSTGRESQL,) if project in _FOR_POSTGRESQL_ALONE else ENGINES


def settings_of(project: str) -> str:
    """The module of its settings."""
    return f"{settings.__name__}.{project.replace('-', '_')}"
