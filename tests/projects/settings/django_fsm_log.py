"""A log of state machines."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django_fsm_log",
]
