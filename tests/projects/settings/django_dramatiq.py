"""Tasks of a queue."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "django_dramatiq",
]
DRAMATIQ_BROKER = {"BROKER": "dramatiq.brokers.stub.StubBroker", "OPTIONS": {}, "MIDDLEWARE": []}
