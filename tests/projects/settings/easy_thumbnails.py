"""Thumbnails, which are recorded in tables."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "easy_thumbnails",
    "tests.projects.apps.thumbnails_site",
]
