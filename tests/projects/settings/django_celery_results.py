"""The results of tasks."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django_celery_results",
]
