"""A customer to try the API with."""

from typing import Any

from django.core.management.base import BaseCommand

from example_project.vending.models import ApiKey, Customer


class Command(BaseCommand):
    """Prints a new API key of the demo customer, and nothing else."""

    help = __doc__ or ""

    def handle(self, *args: Any, **options: Any) -> None:
        customer, _ = Customer.objects.get_or_create(name="Demo customer")
        self.stdout.write(ApiKey.issue(customer))
