"""Periodic tasks, whose time zone is a field of its own."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django_celery_beat",
]
