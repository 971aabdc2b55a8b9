"""The URLs of the API and of the health check."""

from django.urls import include, path

from example_project.vending.views import exchange

urlpatterns = [
    path("api/health", include("healthguard.urls")),
    path("api/v1/credentials/exchange", exchange, name="exchange"),
]
