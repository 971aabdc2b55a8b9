"""A log of changes and their authors."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "auditlog",
]
