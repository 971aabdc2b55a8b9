"""Full-text search."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "watson",
]
