"""Failed logins."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "axes",
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
