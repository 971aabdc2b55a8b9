"""Comments."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django.contrib.sites",
    "django_comments",
]
SITE_ID = 1
