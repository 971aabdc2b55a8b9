"""Rules for robots."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django.contrib.sites",
    "robots",
]
SITE_ID = 1
