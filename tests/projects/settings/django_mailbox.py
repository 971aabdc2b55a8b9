"""Mail in the database."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django_mailbox",
]
