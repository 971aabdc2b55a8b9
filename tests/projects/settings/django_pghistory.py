"""Histories written by triggers."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "pgtrigger",
    "pghistory",
    "tests.projects.apps.pghistory_site",
]
