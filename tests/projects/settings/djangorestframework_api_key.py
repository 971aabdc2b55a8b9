"""Keys for an API."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "rest_framework",
    "rest_framework_api_key",
]
