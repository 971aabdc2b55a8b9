"""Comments in threads."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django.contrib.sites",
    "django_comments_xtd",
    "django_comments",
]
SITE_ID = 1
COMMENTS_APP = "django_comments_xtd"
