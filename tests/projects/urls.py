"""A site with healthguard alone: what the projects serve is no matter here."""

from django.urls import include, path

urlpatterns = [path("api/health", include("healthguard.urls"))]
