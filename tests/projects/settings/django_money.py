"""Amounts with their currency."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "djmoney",
    "djmoney.contrib.exchange",
    "tests.projects.apps.money_site",
]
