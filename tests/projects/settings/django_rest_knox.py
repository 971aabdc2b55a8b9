"""Tokens that are held as digests."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "rest_framework",
    "knox",
]
