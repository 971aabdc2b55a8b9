"""The settings for mypy's Django plugin: the example project, with the apps whose models are part of the tests."""

from example_project.settings import *

INSTALLED_APPS = [*INSTALLED_APPS, "tests.support.shop", "tests.oracle"]
