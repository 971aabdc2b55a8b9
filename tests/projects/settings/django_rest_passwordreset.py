"""Resets of passwords."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django_rest_passwordreset",
]
