"""Tags."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "taggit",
    "tests.projects.apps.taggit_site",
]
