"""The URL patterns to include: ``path("api/health", include("healthguard.urls"))``. They match that path and below."""

from __future__ import annotations

from healthguard.http.urlconf import MountPatterns

app_name = "healthguard"


def __getattr__(name: str) -> MountPatterns:
    """Return new ``urlpatterns`` for each include, so that each mount decides by its own trailing slash."""
    if name == "urlpatterns":
        return MountPatterns()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
