"""One-time passwords of every kind."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django_otp",
    "django_otp.plugins.otp_email",
    "django_otp.plugins.otp_hotp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
]
