"""A history table per model."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "simple_history",
    "tests.projects.apps.history_site",
]
