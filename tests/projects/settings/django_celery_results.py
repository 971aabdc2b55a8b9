"""What tasks gave."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django_celery_results",
]
