"""The URLconf of the tests in this process."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("api/health", include("healthguard.urls"))]
