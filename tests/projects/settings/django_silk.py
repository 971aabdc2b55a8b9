"""Profiles of requests."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "silk",
]
