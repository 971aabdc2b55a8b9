"""The actions of users."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django.contrib.sites",
    "actstream",
]
SITE_ID = 1
