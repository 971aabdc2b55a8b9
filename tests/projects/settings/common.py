"""The settings of ``django-admin startproject``, with healthguard and without a declaration."""

import os
import pkgutil

import dj_database_url

from tests.projects import apps

SECRET_KEY = "projects-" + "v3ry-l0ng-4nd-r4nd0m-".join("0123456789")
# With DEBUG, everybody may read the details.
DEBUG = True
ALLOWED_HOSTS = ["testserver"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "healthguard",
]
MIDDLEWARE = [
    "healthguard.middleware.HealthGuardMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "tests.projects.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
# The migrations are written to a temporary folder.
MIGRATION_MODULES = {app.name: f"made.{app.name}" for app in pkgutil.iter_modules(apps.__path__)}
if os.environ["DATABASE_URL"].startswith("mysql:"):
    import pymysql

    # PyMySQL replaces mysqlclient, of which Django requires a minimum version.
    pymysql.version_info = (2, 2, 4, "final", 0)
    pymysql.install_as_MySQLdb()
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
STATIC_URL = "static/"
USE_TZ = True
