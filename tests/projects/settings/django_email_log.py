"""A log of mail."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "email_log",
]
