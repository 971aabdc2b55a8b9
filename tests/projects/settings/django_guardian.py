"""Permissions an object, with a user and permissions of the site's own."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "guardian",
    "tests.projects.apps.guardian_site",
]
AUTH_USER_MODEL = "guardian_site.Member"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
GUARDIAN_USER_OBJ_PERMS_MODEL = "guardian_site.ByMember"
