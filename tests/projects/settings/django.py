"""Django alone: all of its contributed apps, and a model with a field of each kind."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django.contrib.flatpages",
    "django.contrib.redirects",
    "django.contrib.sites",
    "tests.projects.apps.django_site",
]
SITE_ID = 1
