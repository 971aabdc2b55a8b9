"""Settings of the example project. Values that differ between deployments come from environment variables.

Missing and empty values are accepted on purpose, as in the settings of the service that had the outage. healthguard
reports them; see HEALTHGUARD at the end.
"""

import os
from pathlib import Path
from typing import Any

import dj_database_url

from example_project.ai_providers import more_ai_providers
from healthguard import Service
from healthguard.checks import (
    AIProviderKey,
    AppliedMigrations,
    CredentialExchange,
    DatabaseName,
    EnvironmentVariable,
    RequiredColumns,
    RequiredTables,
    SecretKey,
)

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".state"

DATABASE_URL = os.environ.get("DATABASE_URL", "")
if not DATABASE_URL:
    # Not with another database: the file system of a container may be read-only.
    STATE.mkdir(exist_ok=True)
    DATABASE_URL = f"sqlite:///{STATE / 'rsolv_platform_prod.sqlite3'}"

SECRET_KEY = os.environ.get("SECRET_KEY", "")
DEBUG = os.environ.get("DEBUG") == "1"
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost,127.0.0.1").split(",")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "healthguard",
    "example_project.vending",
]
MIDDLEWARE = [
    "healthguard.middleware.HealthGuardMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ROOT_URLCONF = "example_project.urls"
WSGI_APPLICATION = "example_project.wsgi.application"
TEMPLATES: list[dict[str, object]] = []
DATABASES = {"default": dj_database_url.parse(DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "example_project.log.UTCFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"healthguard": {"handlers": ["stderr"], "level": "INFO"}},
}

IS_SQLITE = DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3"
JSON_TYPE = "json" if DATABASES["default"]["ENGINE"] == "django.db.backends.mysql" else "jsonb"

HEALTHGUARD: dict[str, Any] = {
    "SERVICES": {
        "database": [
            DatabaseName(
                os.environ.get("EXPECTED_DATABASE")
                or ("rsolv_platform_prod.sqlite3" if IS_SQLITE else "rsolv_platform_prod"),
                env="DATABASE_URL",
            ),
            RequiredTables(["api_keys", "customers", "analytics_events", "fun_with_flags_toggles"]),
            RequiredColumns(
                "customers",
                {"admin_level": "varchar", "metadata": JSON_TYPE, "is_staff": "boolean", "monthly_limit": "integer"},
            ),
            AppliedMigrations(),
        ],
        "ai_providers": {
            "anthropic": AIProviderKey("anthropic"),
            "openai": AIProviderKey("openai"),
            **more_ai_providers("anthropic", "openai"),
        },
        "django_config": Service(SecretKey(min_bytes=64, env="SECRET_KEY"), EnvironmentVariable("SECRET_KEY")),
        "analytics": RequiredTables(["analytics_events"]),
        # A request like a customer's, with a customer's key. Each run adds a row to analytics_events.
        "credentials": CredentialExchange(
            "/api/v1/credentials/exchange",
            ["anthropic", "openai"],
            headers={"x-api-key": lambda: os.environ["EXCHANGE_API_KEY"]},
        ),
    },
    "DETAILS_TOKENS": [os.environ.get("HEALTHGUARD_TOKEN", "")],
    "DRAIN_FILE": os.environ.get("DRAIN_FILE"),
}
