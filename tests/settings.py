"""The settings of the tests in this process: the example's models on a real PostgreSQL."""

from __future__ import annotations

import atexit

import dj_database_url
import django

from example_project.postgres import postgres

_server = postgres()
POSTGRES = _server.__enter__()
atexit.register(_server.__exit__, None, None, None)

SECRET_KEY = "tests-" + "v3ry-l0ng-4nd-r4nd0m-".join("0123456789")
ALLOWED_HOSTS = ["testserver"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "healthguard",
    "health_check",
    "example_project.vending",
]
MIDDLEWARE = ["healthguard.middleware.HealthGuardMiddleware", "django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "tests.urls"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASES = {"default": dj_database_url.parse(POSTGRES.url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
# The server of pytest-django needs it.
STATIC_URL = "/static/"
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
else:
    EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
HEALTHGUARD = {"SERVICES": {"django_config": "healthguard.checks.SecretKey"}, "INLINE": True}
