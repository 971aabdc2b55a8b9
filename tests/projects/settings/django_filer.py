"""Files and folders."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "easy_thumbnails",
    "filer",
    "tests.projects.apps.filer_site",
]
