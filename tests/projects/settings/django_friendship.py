"""Friends and followers."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "friendship",
]
