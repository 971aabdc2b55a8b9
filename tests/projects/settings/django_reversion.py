"""Versions of everything."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "reversion",
]
