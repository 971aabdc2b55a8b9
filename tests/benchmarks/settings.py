"""The settings of a project made by ``django-admin startproject``, with healthguard and similar tools."""

from __future__ import annotations

import os

import dj_database_url

SECRET_KEY = "benchmarks-" + "v3ry-l0ng-4nd-r4nd0m-".join("0123456789")
ALLOWED_HOSTS = ["127.0.0.1"]
STARTPROJECT_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
INSTALLED_APPS = [
    *STARTPROJECT_APPS,
    "healthguard",
    "health_check",
    "watchman",
    "django_alive",
    "example_project.vending",
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
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
ROOT_URLCONF = "tests.benchmarks.urls"
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
STATIC_URL = "static/"

# Each tool checks only that the database answers.
HEALTHGUARD = {"SERVICES": {"database": "health_check.checks.Database"}}
WATCHMAN_CHECKS = ("watchman.checks.databases",)
ALIVE_CHECKS: list[tuple[str, dict[str, str]]] = [("django_alive.checks.check_database", {})]
