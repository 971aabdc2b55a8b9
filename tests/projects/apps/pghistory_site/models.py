"""Event tables that triggers write, and a trigger that protects a table."""

import pghistory
import pgtrigger
from django.db import models


@pghistory.track()
class Account(models.Model):
    owner = models.CharField(max_length=50)
    balance = models.DecimalField(max_digits=12, decimal_places=2)
    tags = models.JSONField(default=list)
    ended = models.BooleanField(default=False)

    class Meta:
        triggers = [pgtrigger.Protect(name="stays", operation=pgtrigger.Delete)]


@pghistory.track(pghistory.UpdateEvent(), fields=["level"], context_field=pghistory.ContextJSONField())
class Sensor(models.Model):
    level = models.FloatField(null=True)
    account = models.ForeignKey(Account, on_delete=models.CASCADE)
