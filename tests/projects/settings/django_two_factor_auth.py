"""Logins in two steps."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_email",
    "two_factor",
    "two_factor.plugins.phonenumber",
    "two_factor.plugins.email",
]
MIDDLEWARE += ["django_otp.middleware.OTPMiddleware"]
