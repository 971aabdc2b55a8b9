"""Amounts with a fixed currency and with any currency."""

from django.db import models
from djmoney.models.fields import CurrencyField, MoneyField


class Invoice(models.Model):
    total = MoneyField(max_digits=14, decimal_places=2, default_currency="EUR")
    paid = MoneyField(max_digits=19, decimal_places=4, null=True, default_currency=None)
    currency = CurrencyField()
