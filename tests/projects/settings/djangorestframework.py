"""Tokens: of the framework itself, and of JWT's."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "rest_framework",
    "rest_framework.authtoken",
]
