"""One project, as ``django-admin startproject`` makes it, with healthguard, its peers and a view that does nothing."""

from __future__ import annotations

from typing import Any

import dj_database_url

from tests.sites import Reply

HEALTH = "/api/health"
BARE = "/bare"
HEALTH_CHECK = "/health-check?format=json"
WATCHMAN = "/watchman/"
ALIVE = "/alive/health/"

_SETTINGS = """
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "healthguard",
    "health_check",
    "watchman",
    "django_alive",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
STATIC_URL = "static/"
HEALTHGUARD = {"SERVICES": {"database": "health_check.checks.Database"}}
WATCHMAN_CHECKS = ("watchman.checks.databases",)
ALIVE_CHECKS = [("django_alive.checks.check_database", {})]
"""

URLS = """
from django.http import JsonResponse
from django.urls import include, path
from health_check.views import HealthCheckView

def bare(request):
    return JsonResponse({"status": "healthy"})

urlpatterns = [
    path("api/health", include("healthguard.urls")),
    path("bare", bare),
    path("health-check", HealthCheckView.as_view(checks=["health_check.checks.Database"])),
    path("watchman/", include("watchman.urls")),
    path("alive/", include("django_alive.urls")),
]
"""

_RAW_WSGI = """
def plain(environ, start_response):
    start_response("200 OK", list({headers!r}))
    return [{body!r}]
"""
_RAW_ASGI = """
async def plain(scope, receive, send):
    await send({{"type": "http.response.start", "status": 200, "headers": {headers!r}}})
    await send({{"type": "http.response.body", "body": {body!r}}})
"""
_OF_THE_SERVER = ("connection", "date", "server")


def settings(database_url: str) -> str:
    """The settings of the project on the database of ``database_url``."""
    database: dict[str, Any] = {**dj_database_url.parse(database_url)}
    return f"{_SETTINGS}DATABASES = {{'default': {database!r}}}\n"


def raw(reply: Reply) -> dict[str, str]:
    """Modules with callables that give the same answer as ``reply`` and do nothing else: what a server can at most."""
    headers = [(name, value) for name, value in reply.headers.items() if name not in _OF_THE_SERVER]
    encoded = [(name.encode(), value.encode()) for name, value in headers]
    return {
        "site_wsgi": _RAW_WSGI.format(headers=headers, body=reply.body),
        "site_asgi": _RAW_ASGI.format(headers=encoded, body=reply.body),
    }
