"""The rows that an application stores: their usual values, and the extremes that the models allow."""

from __future__ import annotations

import datetime
import itertools
import uuid
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from django.db import models
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.models import Field, ForeignKey, Model

AnyField: TypeAlias = "Field[Any, Any]"

UTC = datetime.UTC
FAR = datetime.datetime(2100, 1, 2, 3, 4, 5, 678901, UTC)
LONG = 70_000
LARGE_KEYS: dict[str, Any] = {
    "AutoField": 2**30,
    "BigAutoField": 2**62,
    "SmallAutoField": 32_000,
    "UUIDField": uuid.UUID(int=0x12),
    "CharField": "0012",
}
"""Large keys, and a text that could be read as a number, by the type of the field."""
_NUMBERS = itertools.count(1000)


def values_of(
    field: AnyField, ranges: Mapping[str, tuple[int, int]] = BaseDatabaseOperations.integer_field_ranges
) -> list[Any]:
    """Return the values that are stored in ``field``: a usual one, and the extremes that the model allows.

    Args:
        field: the field.
        ranges: the ranges of integers that the models allow on an engine, by type of field.
    """
    kind = field.get_internal_type()
    if kind in ranges:
        low, high = ranges[kind]
        values: list[Any] = [7, low, high]
    else:
        values = list(_VALUES[kind](field))
    return [*values, None] if field.null else values


def _texts(field: Any) -> Iterator[str]:
    yield "usual"
    yield "0012"
    yield "Ünï 😀 'q\" %s \\"[: field.max_length]
    yield ""
    yield "😀" * field.max_length
    yield "x" * field.max_length


def _decimals(field: models.DecimalField[Any, Any]) -> Iterator[Decimal]:
    yield Decimal("12.50")
    most = Decimal(10) ** (field.max_digits - field.decimal_places) - Decimal(1).scaleb(-field.decimal_places)
    yield most
    yield -most


_VALUES: dict[str, Callable[[Any], Iterator[Any] | list[Any]]] = {
    "CharField": _texts,
    "SlugField": _texts,
    "FileField": _texts,
    "TextField": lambda field: ["usual", "0012", "Ünï 😀 'q\" %s \\", "", "x" * LONG],
    "DecimalField": _decimals,
    "FloatField": lambda field: [1 / 3, 1e300, -1e-300],
    "BooleanField": lambda field: [True, False],
    "DateTimeField": lambda field: [FAR, datetime.datetime(1950, 1, 2, 23, 59, 59, 999999, UTC)],
    "DateField": lambda field: [FAR.date(), datetime.date(1950, 1, 2)],
    "TimeField": lambda field: [datetime.time(1, 2, 3), datetime.time(23, 59, 59, 999999)],
    "DurationField": lambda field: [
        datetime.timedelta(hours=3),
        datetime.timedelta(days=40_000, microseconds=7),
        datetime.timedelta(days=-1, seconds=1),
    ],
    "UUIDField": lambda field: [uuid.UUID(int=5), uuid.UUID(int=2**128 - 1)],
    "JSONField": lambda field: [{"a": [1, "é 😀", None], "b": {"c": 1.5}}, [], 5, "text", "x" * LONG],
    "BinaryField": lambda field: [bytes(range(256)), b"", b"x" * LONG],
    "GenericIPAddressField": lambda field: ["10.0.0.1", "2001:db8:1111:2222:3333:4444:5555:6666"],
    "ArrayField": lambda field: _arrays(field.base_field),
    "DateTimeRangeField": lambda field: [(FAR, FAR + datetime.timedelta(1))],
    "IntegerRangeField": lambda field: [(1, 5), (-(2**31), 2**31 - 1)],
    "SearchVectorField": lambda field: ["'cat':1 'dog':2"],
}


def _arrays(base: AnyField) -> list[Any]:
    # Not every version of PostgreSQL accepts an array of empty arrays.
    return [[value] for value in values_of(base) if value != []] + [[]]


def comparable(value: Any, field: AnyField) -> Any:
    """Return ``value`` with its type, so that 5, "5" and Decimal(5) are different."""
    if isinstance(value, memoryview):
        value = value.tobytes()
    if isinstance(value, Decimal):
        # Validation depends on the decimal places, and is an operation of its own.
        value = value.normalize()
    if isinstance(field, models.FloatField) and isinstance(value, int):
        # A caller that accepts a float accepts an int.
        value = float(value)
    return type(value).__name__, repr(value)


def typical(model: type[Model], alias: str, **changed: Any) -> dict[str, Any]:
    """Return the values of a usual row of ``model``. Its keys and unique values are new in each call."""
    values: dict[str, Any] = {}
    for field in writable(model):
        if field.name in changed:
            continue
        if isinstance(field, ForeignKey):
            if _is_in_a_key(field):
                values[field.name] = create(field.related_model, alias)
            elif not field.null:
                related = field.related_model._base_manager.using(alias).order_by("pk").first()
                values[field.name] = related or create(field.related_model, alias)
        elif _is_in_a_key(field):
            values[field.name] = _unused_value(field)
        elif not (field.has_default() or field.has_db_default()):
            values[field.name] = values_of(field)[0]
    return {**values, **changed}


def _is_in_a_key(field: AnyField) -> bool:
    """Return True if ``field`` is unique or part of a unique combination."""
    options = field.model._meta
    return (
        field.unique
        or (isinstance(options.pk, models.CompositePrimaryKey) and field in options.pk.fields)
        or any(field.name in names for names in options.unique_together)
    )


def _unused_value(field: AnyField) -> Any:
    if isinstance(field, models.IntegerField):
        return next(_NUMBERS)
    return uuid.uuid4() if isinstance(field, models.UUIDField) else uuid.uuid4().hex[:10]


def writable(model: type[Model]) -> Iterator[AnyField]:
    """Yield the fields that a row is created with."""
    for field in model._meta.concrete_fields:
        is_parent = field.remote_field is not None and getattr(field.remote_field, "parent_link", False)
        if not (field.generated or isinstance(field, models.AutoField) or is_parent or field.column is None):
            yield field


def stored(row: Model) -> dict[str, Any]:
    """Return the values of ``row`` without its keys, which are different each time."""
    return {
        field.name: comparable(getattr(row, field.attname), field)
        for field in row._meta.concrete_fields
        if field.column is not None and not (field.primary_key or field.remote_field or _is_in_a_key(field))
    }


def create(model: type[Model], alias: str, **changed: Any) -> Any:
    """Create a usual row, and return it as it is read back."""
    row = model._base_manager.using(alias).create(**typical(model, alias, **changed))
    return model._base_manager.using(alias).get(pk=row.pk)
