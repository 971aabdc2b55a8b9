"""The data that the checks of the example project need. ``pytest --healthguard`` in this folder runs the checks."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def healthguard_data() -> None:
    """Create the customer whose key the credential exchange is checked with."""
    from example_project.vending.models import ApiKey, Customer

    if key := os.environ.get("EXCHANGE_API_KEY"):
        customer = Customer.objects.create(name="Customer of the health check")
        ApiKey.objects.create(customer=customer, digest=ApiKey.digest_of(key))
