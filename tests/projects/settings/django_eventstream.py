"""Events for browsers."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django_eventstream",
]
