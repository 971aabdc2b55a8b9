"""Sessions with their users."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "user_sessions",
]
SESSION_ENGINE = "user_sessions.backends.db"
SILENCED_SYSTEM_CHECKS = ["admin.E410"]
