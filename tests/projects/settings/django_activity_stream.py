"""Who did what to whom."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django.contrib.sites",
    "actstream",
]
SITE_ID = 1
