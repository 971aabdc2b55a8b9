"""Views that are models."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django_pgviews",
    "tests.projects.apps.pgviews_site",
]
