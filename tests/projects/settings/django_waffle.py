"""Feature flags."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "waffle",
]
