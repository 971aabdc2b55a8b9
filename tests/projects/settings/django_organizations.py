"""Organizations and their members."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "organizations",
]
