"""Translations in an additional table per model."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "parler",
    "tests.projects.apps.parler_site",
]
LANGUAGES = [("en", "English"), ("de", "German")]
