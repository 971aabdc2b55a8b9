"""Scheduled jobs."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django_apscheduler",
]
