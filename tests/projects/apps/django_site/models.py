"""A field of every type, on tables of every kind."""

import uuid

from django.db import models
from django.db.models.functions import Now, Upper


class EachKind(models.Model):
    big = models.BigIntegerField()
    binary = models.BinaryField(max_length=100)
    boolean = models.BooleanField(null=True)
    char = models.CharField(max_length=20, db_default="none", db_comment="a text")
    unlimited = models.TextField()
    date = models.DateField(db_default=Now())
    moment = models.DateTimeField()
    decimal = models.DecimalField(max_digits=12, decimal_places=4)
    duration = models.DurationField(null=True)
    email = models.EmailField()
    file = models.FileField()
    path = models.FilePathField()
    number = models.FloatField()
    upper = models.GeneratedField(
        expression=Upper("char"), output_field=models.CharField(max_length=20), db_persist=True
    )
    image = models.ImageField()
    address = models.GenericIPAddressField(null=True)
    integer = models.IntegerField(db_column="Int eger")
    json = models.JSONField(default=dict)
    positive_big = models.PositiveBigIntegerField()
    positive = models.PositiveIntegerField()
    positive_small = models.PositiveSmallIntegerField()
    slug = models.SlugField()
    small = models.SmallIntegerField()
    time = models.TimeField()
    url = models.URLField(max_length=500)
    uuid = models.UUIDField(default=uuid.uuid4, unique=True)

    class Meta:
        db_table = "Each kind"


class ByText(models.Model):
    code = models.CharField(primary_key=True, max_length=10)
    others = models.ManyToManyField("self", symmetrical=False)
    kinds = models.ManyToManyField(EachKind, through="Between")


class Between(models.Model):
    pk = models.CompositePrimaryKey("text_id", "kind_id")
    text = models.ForeignKey(ByText, on_delete=models.CASCADE)
    kind = models.ForeignKey(EachKind, to_field="uuid", on_delete=models.CASCADE, db_constraint=False)


class Child(ByText):
    rank = models.SmallIntegerField(unique=True)


class Small(models.Model):
    id = models.SmallAutoField(primary_key=True)
    text = models.OneToOneField(ByText, null=True, on_delete=models.DO_NOTHING, db_column="of")


class Elsewhere(models.Model):
    nothing = models.TextField()

    class Meta:
        managed = False


class Standing(ByText):
    class Meta:
        proxy = True
