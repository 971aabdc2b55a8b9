"""Logins as another user."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "impersonate",
]
