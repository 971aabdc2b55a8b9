"""The configuration of the app."""

from django.apps import AppConfig


class VendingConfig(AppConfig):
    """The app that vends credentials."""

    name = "example_project.vending"
    label = "vending"
