"""The Django app."""

from django.apps import AppConfig


class VendingConfig(AppConfig):
    """See the models."""

    name = "example_project.vending"
    label = "vending"
