"""What was changed, and by whom."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "auditlog",
]
