"""Permissions per object, with the site's own models of users and permissions."""

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
