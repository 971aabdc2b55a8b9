"""Translations in columns that no model declares."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "modeltranslation",
    "tests.projects.apps.modeltranslation_site",
]
LANGUAGES = [("en", "English"), ("de", "German")]
