"""Customers and their data, in the tables that were missing in the outage."""

import hashlib
import secrets

from django.db import models


class Customer(models.Model):
    """A customer who may exchange an API key for credentials."""

    name = models.CharField(max_length=200)
    admin_level = models.CharField(max_length=20, default="none")
    metadata = models.JSONField(default=dict)
    is_staff = models.BooleanField(default=False)
    monthly_limit = models.IntegerField(default=100)

    class Meta:
        db_table = "customers"

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """A customer's key for this service. Only its hash is stored."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="api_keys")
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "api_keys"

    def __str__(self) -> str:
        return f"key of {self.customer}"

    @staticmethod
    def digest_of(key: str) -> str:
        """Return the hash that is stored for ``key``."""
        return hashlib.sha256(key.encode()).hexdigest()

    @classmethod
    def issue(cls, customer: Customer) -> str:
        """Create a key and return it. Only its hash is stored, so it cannot be read again."""
        key = f"vend_{secrets.token_urlsafe(32)}"
        cls.objects.create(customer=customer, digest=cls.digest_of(key))
        return key


class AnalyticsEvent(models.Model):
    """An event in the use of this service."""

    customer = models.ForeignKey(Customer, null=True, on_delete=models.SET_NULL, related_name="events")
    name = models.CharField(max_length=100)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "analytics_events"

    def __str__(self) -> str:
        return self.name


class FeatureToggle(models.Model):
    """A feature switch and its target."""

    flag_name = models.CharField(max_length=100)
    gate_type = models.CharField(max_length=20, default="boolean")
    target = models.CharField(max_length=100, blank=True)
    enabled = models.BooleanField(default=False)

    class Meta:
        db_table = "fun_with_flags_toggles"

    def __str__(self) -> str:
        return self.flag_name
