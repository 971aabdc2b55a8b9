"""Mails in the database."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "post_office",
]
