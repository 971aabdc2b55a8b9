"""A log of what users do."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "easyaudit",
]
