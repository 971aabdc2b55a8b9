"""An OAuth2 provider."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "oauth2_provider",
]
