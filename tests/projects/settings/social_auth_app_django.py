"""Logins with other accounts."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "social_django",
]
