"""The tokens of the framework, and JSON Web Tokens."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "rest_framework",
    "rest_framework.authtoken",
]
