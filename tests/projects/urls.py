"""The URLs of a site: only those of healthguard, because the pages of the projects are not tested."""

from django.urls import include, path

urlpatterns = [path("api/health", include("healthguard.urls"))]
