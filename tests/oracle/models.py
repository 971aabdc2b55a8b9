"""The models of an application with every type of field and every type of relation."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, IntegerRangeField
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models.functions import Lower


class Person(models.Model):
    name = models.CharField(max_length=40)
    email = models.EmailField(max_length=60, unique=True)
    about = models.TextField(blank=True)
    nick = models.SlugField(max_length=30, null=True)
    site = models.URLField(max_length=80, blank=True)
    photo = models.FileField(max_length=50, blank=True)
    state = models.CharField(max_length=20, db_default="new")
    shout = models.GeneratedField(
        expression=Lower("name"), output_field=models.CharField(max_length=40), db_persist=True
    )


class Number(models.Model):
    tiny = models.SmallIntegerField()
    positive_tiny = models.PositiveSmallIntegerField(default=0)
    whole = models.IntegerField()
    positive = models.PositiveIntegerField(default=0)
    big = models.BigIntegerField(null=True)
    positive_big = models.PositiveBigIntegerField(default=0)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    ratio = models.FloatField(default=0)
    is_paid = models.BooleanField(default=False)
    is_known = models.BooleanField(null=True)


class Moment(models.Model):
    at = models.DateTimeField()
    seen = models.DateTimeField(null=True)
    day = models.DateField()
    clock = models.TimeField(null=True)
    lasts = models.DurationField()


class Thing(models.Model):
    reference = models.UUIDField()
    data = models.JSONField(default=dict)
    extra = models.JSONField(null=True)
    raw = models.BinaryField()
    address = models.GenericIPAddressField(null=True)


class Tag(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    label = models.CharField(max_length=20, unique=True)


class Profile(models.Model):
    person = models.OneToOneField(Person, on_delete=models.CASCADE, primary_key=True)
    motto = models.CharField(max_length=30)


class Order(models.Model):
    owner = models.ForeignKey(Person, on_delete=models.CASCADE)
    reviewer = models.ForeignKey(Person, null=True, on_delete=models.SET_NULL, related_name="reviews")
    number = models.IntegerField()
    tags = models.ManyToManyField(Tag)

    class Meta:
        unique_together = (("owner", "number"),)


class Express(Order):
    hours = models.IntegerField()


class Code(models.Model):
    code = models.CharField(max_length=10, primary_key=True)
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE)


class Small(models.Model):
    id = models.SmallAutoField(primary_key=True)
    value = models.IntegerField()


class Seat(models.Model):
    pk = models.CompositePrimaryKey("row", "place")
    row = models.IntegerField()
    place = models.IntegerField()
    guest = models.CharField(max_length=20)


class Special(models.Model):
    """The types of fields that only PostgreSQL has."""

    words = ArrayField(models.CharField(max_length=10))
    grid = ArrayField(ArrayField(models.IntegerField()), null=True)
    during = DateTimeRangeField(null=True)
    between = IntegerRangeField(null=True)
    search = SearchVectorField(null=True)
    collated = models.CharField(max_length=10, db_collation="C")

    class Meta:
        required_db_vendor = "postgresql"
