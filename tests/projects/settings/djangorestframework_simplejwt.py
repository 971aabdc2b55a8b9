"""JSON Web Tokens that are no longer accepted."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "rest_framework",
    "rest_framework_simplejwt",
    "rest_framework_simplejwt.token_blacklist",
]
