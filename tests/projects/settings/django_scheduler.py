"""Calendars."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "schedule",
]
