"""A queue in the database."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django_q",
]
Q_CLUSTER = {"name": "projects", "orm": "default"}
