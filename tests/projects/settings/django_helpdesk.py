"""A helpdesk, which is a complete application."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django.contrib.sites",
    "django.contrib.humanize",
    "rest_framework",
    "helpdesk",
]
SITE_ID = 1
HELPDESK_TEAMS_MODE_ENABLED = False
