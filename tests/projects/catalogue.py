"""The projects, and the engines on which each can run."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from typing import TypeAlias

from tests.projects import settings

Engine: TypeAlias = str

POSTGRESQL = "postgresql"
SQLITE = "sqlite"
MARIADB = "mariadb"
ENGINES = (POSTGRESQL, SQLITE, MARIADB)

_ONLY_ON_POSTGRESQL = ("django-hordak", "django-pghistory", "django-pgviews-redux", "django-postgres-extra")

PROJECTS = tuple(
    module.name.replace("_", "-") for module in pkgutil.iter_modules(settings.__path__) if module.name != "common"
)
"""The names of their distributions. Each has a module of settings with the same name."""


def engines_of(project: str, engines: Sequence[Engine]) -> list[Engine]:
    """Return those of ``engines`` on which the project can run."""
    possible = (POSTGRESQL,) if project in _ONLY_ON_POSTGRESQL else ENGINES
    return [engine for engine in engines if engine in possible]


def settings_of(project: str) -> str:
    """Return the name of the settings module of a project."""
    return f"{settings.__name__}.{project.replace('-', '_')}"
