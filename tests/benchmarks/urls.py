"""The URLs of healthguard, of similar tools, and of an empty view."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from health_check.views import HealthCheckView


def bare(request: HttpRequest) -> HttpResponse:
    """Return a constant response, like the health views of many projects."""
    return JsonResponse({"status": "healthy"})


urlpatterns = [
    path("api/health", include("healthguard.urls")),
    path("bare", bare),
    path("health-check", HealthCheckView.as_view(checks=["health_check.checks.Database"])),
    path("watchman/", include("watchman.urls")),
    path("alive/", include("django_alive.urls")),
]
