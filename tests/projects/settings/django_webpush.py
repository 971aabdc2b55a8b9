"""Push notifications to browsers."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "webpush",
]
