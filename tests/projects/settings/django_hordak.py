"""Double-entry bookkeeping, with checks in the database."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "mptt",
    "hordak",
]
