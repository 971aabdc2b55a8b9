"""Models of many kinds in one query."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "polymorphic",
    "tests.projects.apps.polymorphic_site",
]
