"""The models, which are identical and created when the app is loaded."""

from __future__ import annotations

import os
import uuid

from django.db import models


def _define_model(number: int) -> None:
    """Define a model, which Django registers in its app."""
    fields = {
        "name": models.CharField(max_length=100),
        "title": models.CharField(max_length=255, null=True),
        "slug": models.SlugField(unique=True),
        "email": models.EmailField(),
        "text": models.TextField(default=""),
        "count": models.IntegerField(default=0),
        "total": models.BigIntegerField(null=True),
        "rank": models.SmallIntegerField(default=0),
        "size": models.PositiveIntegerField(default=0),
        "price": models.DecimalField(max_digits=12, decimal_places=2),
        "score": models.FloatField(null=True),
        "is_active": models.BooleanField(default=True),
        "born": models.DateField(null=True),
        "created": models.DateTimeField(db_index=True),
        "opens": models.TimeField(null=True),
        "lasts": models.DurationField(null=True),
        "key": models.UUIDField(default=uuid.uuid4),
        "data": models.JSONField(default=dict),
        "parent": models.ForeignKey("self", models.CASCADE, null=True),
    }
    type(f"Wide{number}", (models.Model,), {"__module__": __name__, **fields})


for _number in range(int(os.environ["WIDE_MODELS"])):
    _define_model(_number)
