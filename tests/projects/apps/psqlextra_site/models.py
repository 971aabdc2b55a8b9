"""Tables partitioned by time and by a list, views, and the types of fields that only PostgreSQL has."""

import uuid

from django.contrib.postgres.fields import (
    ArrayField,
    BigIntegerRangeField,
    DateRangeField,
    DateTimeRangeField,
    DecimalRangeField,
    IntegerRangeField,
)
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from psqlextra.models import PostgresMaterializedViewModel, PostgresModel, PostgresPartitionedModel, PostgresViewModel
from psqlextra.types import PostgresPartitioningMethod


class Text(PostgresModel):
    words = ArrayField(models.CharField(max_length=30))
    board = ArrayField(ArrayField(models.DecimalField(max_digits=5, decimal_places=2), size=8), size=8)
    pages = IntegerRangeField()
    letters = BigIntegerRangeField(null=True)
    prices = DecimalRangeField()
    sold = DateTimeRangeField()
    lent = DateRangeField()
    found = SearchVectorField(null=True)


class Measurement(PostgresPartitionedModel):
    class PartitioningMeta:
        method = PostgresPartitioningMethod.RANGE
        key = ["taken"]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    taken = models.DateTimeField()
    value = models.FloatField()


class Order(PostgresPartitionedModel):
    class PartitioningMeta:
        method = PostgresPartitioningMethod.LIST
        key = ["country"]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    country = models.CharField(max_length=2)
    total = models.DecimalField(max_digits=10, decimal_places=2)


class Titled(PostgresViewModel):
    class ViewMeta:
        query = ("SELECT 1::bigint AS id", ())

    id = models.BigIntegerField(primary_key=True)


class Counted(PostgresMaterializedViewModel):
    class ViewMeta:
        query = ("SELECT 1::bigint AS id", ())

    id = models.BigIntegerField(primary_key=True)
