"""The URLs of that project."""

from django.urls import include, path

urlpatterns = [path("api/health", include("healthguard.urls"))]
