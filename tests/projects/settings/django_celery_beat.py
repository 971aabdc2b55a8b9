"""Periodic tasks, whose time zones are a custom field."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django_celery_beat",
]
