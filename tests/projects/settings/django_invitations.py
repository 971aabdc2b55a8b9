"""Invitations."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django.contrib.sites",
    "invitations",
]
SITE_ID = 1
