"""Tokens that are stored as digests."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "rest_framework",
    "knox",
]
