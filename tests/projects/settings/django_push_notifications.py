"""Push notifications."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "push_notifications",
]
