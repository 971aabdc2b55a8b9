"""The command that creates a demo customer."""

from typing import Any

from django.core.management.base import BaseCommand

from example_project.vending.models import ApiKey, Customer


class Command(BaseCommand):
    """A command that prints a new API key of the demo customer, and nothing else."""

    help = "Create the demo customer if there is none, and print a new API key for it."

    def handle(self, *args: Any, **options: Any) -> None:
        customer, _ = Customer.objects.get_or_create(name="Demo customer")
        self.stdout.write(ApiKey.issue(customer))
