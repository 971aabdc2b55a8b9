"""Partitioned tables and materialized views."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django.contrib.postgres",
    "psqlextra",
    "tests.projects.apps.psqlextra_site",
]
DATABASES["default"]["ENGINE"] = "psqlextra.backend"
# The site uses no hstore, which not every server has.
POSTGRES_EXTRA_AUTO_EXTENSION_SET_UP = False
