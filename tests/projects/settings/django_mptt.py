"""Trees as nested sets."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "mptt",
    "tests.projects.apps.mptt_site",
]
