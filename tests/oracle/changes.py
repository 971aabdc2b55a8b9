"""The parts that the changes to the databases of all engines have in common."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias

from django.apps import apps
from django.db.models import Field, Model

_KINDS_OF_ALL_TABLES = {"rights_of_a_schema"}


@dataclasses.dataclass(frozen=True)
class Change:
    """A change to a database.

    Args:
        kind: the name of the function that made it.
        table: the table that is changed.
        statements: the SQL of the change.
    """

    kind: str
    table: str
    statements: Sequence[str]

    def concerns(self, tables: Collection[str]) -> bool:
        """Return True if the change may affect an operation that depends on ``tables``."""
        return self.table in tables or self.kind in _KINDS_OF_ALL_TABLES

    def has(self, *words: str) -> bool:
        """Return True if one of the statements contains one of ``words``."""
        return any(word in statement for word in words for statement in self.statements)

    def __str__(self) -> str:
        return f"[{self.kind}] {'; '.join(self.statements)}"


@dataclasses.dataclass(frozen=True)
class ModelColumn:
    """A column that a model writes or reads."""

    model: type[Model]
    field: Field[Any, Any]

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    @property
    def column(self) -> str:
        return str(self.field.column)


def all_tables(vendor: str) -> list[str]:
    """Return all tables of the application. A table comes after those that it refers to."""
    return list(dict.fromkeys(target.table for target in model_columns(vendor)))


def model_columns(vendor: str) -> list[ModelColumn]:
    """Return all columns of the application."""
    return [
        ModelColumn(model, field)
        for model in apps.get_app_config("oracle").get_models(include_auto_created=True)
        if model._meta.required_db_vendor in (None, vendor)
        for field in model._meta.local_concrete_fields
        if field.column is not None
    ]


EMPTY = "EMPTY"
"""The statement that empties all tables. Some changes are only possible, or only have an effect, without rows."""

Maker: TypeAlias = Callable[[random.Random, ModelColumn], list[str]]
"""A function that returns the statements of a random change of a column; none if its kind of change is impossible."""


def change_of(makers: Sequence[Maker], targets: Sequence[ModelColumn], seed: str) -> Change:
    """Return the change for ``seed``, which is always the same."""
    rng = random.Random(seed)
    while True:
        maker, target = rng.choice(makers), rng.choice(targets)
        statements = maker(rng, target)
        if statements:
            return Change(maker.__name__, target.table, statements)
