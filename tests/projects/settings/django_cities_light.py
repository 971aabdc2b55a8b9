"""Cities of the world."""

from tests.projects.settings.common import *

INSTALLED_APPS += [
    "cities_light",
]
