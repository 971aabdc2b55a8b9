"""Settings in the database."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "constance",
]
CONSTANCE_BACKEND = "constance.backends.database.DatabaseBackend"
CONSTANCE_CONFIG = {"ANSWER": (42, "the answer")}
