"""Trees in three representations."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "treebeard",
    "tests.projects.apps.treebeard_site",
]
