"""A log of requests."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "request",
]
