"""The time and memory that healthguard adds to the start of a new project, step by step, in separate processes."""

from __future__ import annotations

import dataclasses
import functools
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.table import table
from tests.benchmarks.turns import Effort, in_turns
from tests.support.sites import Site

TURNS_PER_ROUND = 4

_FRESH = """
from tests.benchmarks.settings import DATABASES, MIDDLEWARE, SECRET_KEY, STARTPROJECT_APPS as INSTALLED_APPS, TEMPLATES
ROOT_URLCONF = "site_urls"
STATIC_URL = "static/"
USE_TZ = True
"""
_URLS = """
from django.contrib import admin
from django.urls import include, path
urlpatterns = [path("admin/", admin.site.urls)]
"""
_MOUNTED = f"""{_URLS}
urlpatterns.append(path("api/health", include("healthguard.urls")))
"""
_DECLARATION = """
from healthguard import Service
from healthguard.checks import (
    AIProviderKey, AppliedMigrations, DatabaseName, EnvironmentVariable, RequiredColumns, RequiredTables, SecretKey,
)
HEALTHGUARD = {
    "SERVICES": {
        "database": [
            DatabaseName("rsolv_platform_prod"),
            RequiredTables(["api_keys", "customers", "analytics_events"]),
            RequiredColumns("customers", {"metadata": "jsonb", "is_staff": "boolean"}),
            AppliedMigrations(),
        ],
        "ai_providers": {"anthropic": AIProviderKey("anthropic"), "openai": AIProviderKey("openai")},
        "django_config": [SecretKey(min_bytes=64), EnvironmentVariable("DATABASE_URL")],
        "cache": Service("health_check.checks.Cache", critical=False, ttl=15),
    },
}
"""
_STEPS = {
    "new project": ("", _URLS),
    "+ django-health-check": ("import health_check\n", _URLS),
    "+ INSTALLED_APPS": ("INSTALLED_APPS.append('healthguard')\n", _URLS),
    "+ URLs": ("", _MOUNTED),
    "+ middleware": ("MIDDLEWARE.insert(0, 'healthguard.middleware.HealthGuardMiddleware')\n", _MOUNTED),
    "+ declaration": (_DECLARATION, _MOUNTED),
}
"""The additions to the settings of the step before, and the URLconf. The dependency is a separate step."""

# The work of a server before it accepts requests. Memory is read last, because psutil is imported for it.
_START = """
import json, time
begin = time.perf_counter()
import django
django.setup()
from django.core.handlers.wsgi import WSGIHandler
WSGIHandler()
from django.urls import get_resolver
get_resolver().url_patterns
seconds = time.perf_counter() - begin
import psutil
print(json.dumps({"seconds": seconds, "memory": psutil.Process().memory_info().rss}))
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Start:
    """One start of a project.

    Args:
        seconds: the duration.
        memory: the resident memory after the start (bytes).
    """

    seconds: float
    memory: int


def measure(effort: Effort) -> str:
    """Return the table of the section."""
    with tempfile.TemporaryDirectory(prefix="healthguard-bench-") as folder:
        sites = _sites(Path(folder))
        starts = {name: functools.partial(_start, site) for name, site in sites.items()}
        # The first start compiles all modules and is not measured.
        in_turns(starts, 1)
        measured = in_turns(starts, effort.rounds * TURNS_PER_ROUND)
    first = next(iter(measured.values()))
    rows = [(name, *_medians(starts), *_added(starts, first)) for name, starts in measured.items()]
    return table(("", "start, ms", "memory, MiB", "added ms", "added MiB"), rows)


def _medians(starts: Sequence[Start]) -> tuple[str, str]:
    return (
        f"{statistics.median(start.seconds for start in starts) * 1000:.0f}",
        f"{statistics.median(start.memory for start in starts) / 2**20:.1f}",
    )


def _added(starts: Sequence[Start], first: Sequence[Start]) -> tuple[str, str]:
    """Return the median difference of ``starts`` and ``first``, round by round."""
    pairs = list(zip(starts, first, strict=True))
    return (
        f"{statistics.median(one.seconds - other.seconds for one, other in pairs) * 1000:+.0f}",
        f"{statistics.median(one.memory - other.memory for one, other in pairs) / 2**20:+.1f}",
    )


def _sites(folder: Path) -> dict[str, Site]:
    """Write one project per step. Each has everything that the one before it has."""
    sites: dict[str, Site] = {}
    settings = _FRESH
    for number, (name, (added, urls)) in enumerate(_STEPS.items()):
        settings += added
        (folder / str(number)).mkdir()
        sites[name] = Site(folder / str(number)).write(site_settings=settings, urls=urls)
    return sites


def _start(site: Site) -> Start:
    done = subprocess.run(
        [sys.executable, "-c", _START], cwd=site.folder, env=site.env, check=True, capture_output=True, text=True
    )
    return Start(**json.loads(done.stdout))
