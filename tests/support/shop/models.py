"""Models with every kind of column and table that Django creates. Tests compare schemas with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models.functions import Lower

if TYPE_CHECKING:
    TextField = models.TextField[Any, Any]
else:
    # The fields of Django cannot be subscripted at run time.
    TextField = models.TextField


class OfType(TextField):
    """A text field whose column has a type that no field of Django has."""

    def __init__(self, type_: str = "text", **kwargs: Any) -> None:
        self.type = type_
        super().__init__(**kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "type_": self.type}

    def db_type(self, connection: Any) -> str:
        return self.type


class Dated(models.Model):
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class Customer(Dated):
    name = models.CharField(max_length=100)
    email = models.EmailField(null=True, unique=True)
    metadata = models.JSONField(default=dict)
    reference = models.UUIDField()
    birthday = models.DateField(null=True)
    balance = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    visits = models.IntegerField(default=0)
    points = models.BigIntegerField(default=0)
    level = models.SmallIntegerField(default=0)
    rank = models.PositiveIntegerField(default=0)
    is_active = models.BooleanField(default=True)
    rating = models.FloatField(default=0)
    notes = models.TextField(blank=True)
    logo = models.BinaryField(null=True)
    wakes = models.TimeField(null=True)
    waits = models.DurationField(null=True)
    address = models.GenericIPAddressField(null=True)
    state = models.CharField(max_length=20, db_default="new")
    shout = models.GeneratedField(
        expression=Lower("name"), output_field=models.CharField(max_length=100), db_persist=True
    )
    odd_name = models.CharField(max_length=10, db_column="Odd Name; x")
    quoted = models.CharField(max_length=10, db_column='"Quoted"')
    nothing = models.IntegerField(null=True, db_default=None)


class Vip(Customer):
    discount = models.IntegerField(null=True)


class Regular(Customer):
    class Meta:
        proxy = True


class Product(models.Model):
    id = models.SmallAutoField(primary_key=True)
    code = models.SlugField()
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE)
    buyers = models.ManyToManyField(Customer)


class Order(models.Model):
    number = models.CharField(primary_key=True, max_length=32)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE)
    products = models.ManyToManyField(Product, through="Line")

    class Meta:
        db_table = "orders"


class Line(models.Model):
    pk = models.CompositePrimaryKey("order_id", "position")
    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    position = models.IntegerField()
    product = models.ForeignKey(Product, on_delete=models.CASCADE)


class WithDot(models.Model):
    class Meta:
        db_table = "with.dot"


class Report(models.Model):
    """A table of another application, or a view."""

    total = models.IntegerField()

    class Meta:
        managed = False


class Plug(models.Model):
    class Meta:
        swappable = "SHOP_PLUG"


class OwnPlug(models.Model):
    id = models.BigAutoField(primary_key=True)


class Elsewhere(models.Model):
    """A table in another schema, by a name that contains quotes, as some projects declare it."""

    kind = models.CharField(max_length=10)

    class Meta:
        db_table = 'audit"."events'
        required_db_vendor = "postgresql"


class Postgres(models.Model):
    """Columns of types that only PostgreSQL has."""

    tags = ArrayField(models.CharField(max_length=20))
    grid = ArrayField(ArrayField(models.IntegerField(), size=3))
    during = DateTimeRangeField(null=True)
    search = SearchVectorField(null=True)
    collated = models.CharField(max_length=10, db_collation="C")
    endless = models.CharField()
    address = OfType("email_address")
    extended = OfType(getattr(settings, "SHOP_EXTENDED", "text"))
    number = OfType("serial")
    checked = OfType("integer CHECK (checked > 0)")
    pattern = models.CharField(max_length=20, db_column="c" * 60)

    class Meta:
        required_db_vendor = "postgresql"
