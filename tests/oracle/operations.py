"""The operations of the application. Each runs in a savepoint and has a result that can be compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.postgres.search import SearchVectorField
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import ForeignKey, Max, Model, QuerySet

from tests.oracle.rows import LARGE_KEYS, AnyField, comparable, create, stored, typical, values_of, writable


@dataclasses.dataclass(frozen=True)
class Operation:
    """An operation of the application.

    Args:
        name: the name in a report.
        tables: the tables that it depends on.
        perform: a function of the alias of the database that performs the operation and returns its result.
        reads: True if it only reads rows that existed before.
    """

    name: str
    tables: frozenset[str]
    perform: Callable[[str], object]
    reads: bool = False

    def has_same_result(self, before: object, after: object) -> bool:
        """Return True if the results are the same, except that rows that are read may be missing."""
        if isinstance(before, frozenset) and isinstance(after, frozenset):
            return after <= before
        return after == before


class _Undo(Exception):
    """Rolls a savepoint back."""


def observe(operation: Operation, connection: BaseDatabaseWrapper) -> object:
    """Perform ``operation``, undo it, and return its result or the text of its error."""
    outcome: object = None
    try:
        with transaction.atomic(using=connection.alias):
            outcome = operation.perform(connection.alias)
            if connection.vendor != "mysql" and not operation.reads:
                # Foreign keys are checked at the end of the transaction, and this one is not committed.
                connection.check_constraints()
            raise _Undo
    except _Undo:
        return outcome
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"


def tables_of(model: type[Model]) -> frozenset[str]:
    """Return the tables that a row of ``model`` needs: its own, those of its parents and of required foreign keys."""
    names = {model._meta.db_table, *(parent._meta.db_table for parent in model._meta.all_parents)}
    for field in model._meta.concrete_fields:
        if isinstance(field, ForeignKey) and not field.null:
            names |= {field.related_model._meta.db_table}
    return frozenset(names)


def is_duplicate_refused(alias: str, add: Callable[[], object], *, exists: bool = False) -> bool:
    """Return True if the second call of ``add`` is refused; with ``exists``, already the first call."""
    if not exists:
        add()
    try:
        with transaction.atomic(using=alias):
            add()
    except IntegrityError:
        return True
    return False


def conflict_on(alias: str, *names: str) -> dict[str, Any]:
    """Return the argument of ``bulk_create`` that names the unique fields, if the engine accepts it."""
    has_target = connections[alias].features.supports_update_conflicts_with_target
    return {"unique_fields": list(names)} if has_target else {}


class ModelOperations:
    """The operations on the rows of a model."""

    def __init__(self, model: type[Model]) -> None:
        self._model = model
        self._tables = tables_of(model)

    def all(self) -> Iterator[Operation]:
        """Yield the operations."""
        name, options = self._model.__name__, self._model._meta
        own = frozenset({options.db_table, *(parent._meta.db_table for parent in options.all_parents)})
        yield Operation(f"{name}: read all", own, self._read, reads=True)
        yield Operation(f"{name}: count", own, self._count, reads=True)
        yield Operation(f"{name}: lock all", own, self._lock)
        yield Operation(f"{name}: add a usual row", self._tables, self._add)
        yield Operation(f"{name}: validate a row", self._tables, self._validate)
        yield Operation(f"{name}: remove a row", self._tables, self._remove)
        if isinstance(options.pk, models.AutoField):
            yield Operation(f"{name}: add with a large key", self._tables, self._add_large)
        if not options.parents:
            yield Operation(f"{name}: add many", self._tables, self._add_many)
        if not isinstance(options.pk, models.CompositePrimaryKey):
            same = self._same_parent if isinstance(options.pk, ForeignKey) else self._same_key
            yield Operation(f"{name}: key is unique", self._tables, same)

    def _rows(self, alias: str) -> QuerySet[Any]:
        return self._model._base_manager.using(alias)

    def _read(self, alias: str) -> object:
        return frozenset(tuple(stored(row).items()) for row in self._rows(alias))

    def _count(self, alias: str) -> object:
        return self._rows(alias).count() >= 0, type(self._rows(alias).exists())

    def _lock(self, alias: str) -> object:
        return len(self._rows(alias).select_for_update()) >= 0

    def _add(self, alias: str) -> object:
        return stored(create(self._model, alias))

    def _validate(self, alias: str) -> object:
        """Return the fields whose values a form rejects without a change."""
        try:
            create(self._model, alias).clean_fields()
        except ValidationError as error:
            return sorted(error.message_dict)
        return []

    def _add_large(self, alias: str) -> object:
        return create(self._model, alias, pk=LARGE_KEYS[self._model._meta.pk.get_internal_type()]).pk

    def _add_many(self, alias: str) -> object:
        before = self._rows(alias).count()
        self._rows(alias).bulk_create([self._model(**typical(self._model, alias)) for _ in range(2)])
        return self._rows(alias).count() - before

    def _remove(self, alias: str) -> object:
        row = create(self._model, alias)
        key = row.pk
        row.delete(using=alias)
        return self._rows(alias).filter(pk=key).exists()

    def _same_key(self, alias: str) -> object:
        row = create(self._model, alias)
        return is_duplicate_refused(alias, lambda: create(self._model, alias, pk=row.pk), exists=True)

    def _same_parent(self, alias: str) -> object:
        row = create(self._model, alias)
        own = {field.attname: getattr(row, field.attname) for field in self._model._meta.local_concrete_fields}
        again = self._model(**own)
        return is_duplicate_refused(
            alias, lambda: again.save_base(raw=True, force_insert=True, using=alias), exists=True
        )


class ReferenceOperations:
    """The operations on a foreign key."""

    def __init__(self, model: type[Model], field: ForeignKey[Any, Any]) -> None:
        self._model = model
        self._field = field

    def all(self) -> Iterator[Operation]:
        """Yield the operations."""
        yield Operation(f"{self._model.__name__}.{self._field.name}: refer", tables_of(self._model), self._refer)

    def _refer(self, alias: str) -> object:
        row = self._row(alias)
        related, value = getattr(row, self._field.name), getattr(row, self._field.attname)
        found = self._model._base_manager.using(alias).filter(**{self._field.name: related})
        return type(value).__name__, value == related.pk, found.count()

    def _row(self, alias: str) -> Any:
        """Create a row that refers to one with a large key, or with a key that could be read as a number."""
        key = self._field.target_field
        if getattr(self._field.remote_field, "parent_link", False):
            return create(self._model, alias, **{key.name: LARGE_KEYS[key.get_internal_type()]})
        chosen = {} if isinstance(key, ForeignKey) else {key.name: LARGE_KEYS[key.get_internal_type()]}
        return create(self._model, alias, **{self._field.name: create(self._field.related_model, alias, **chosen)})


class FieldOperations:
    """The operations on a column that contains a value."""

    def __init__(self, model: type[Model], field: AnyField, connection: BaseDatabaseWrapper) -> None:
        self._model = model
        self._field = field
        self._values = values_of(field, connection.ops.integer_field_ranges)
        # The field that an upsert changes, if there is one.
        self._others = [
            other.name for other in writable(model) if not (other.primary_key or other.unique or other.remote_field)
        ][:1]

    def all(self) -> Iterator[Operation]:
        """Yield the operations."""
        name = f"{self._model.__name__}.{self._field.name}"
        for title, perform in self._performed():
            yield Operation(f"{name}: {title}", tables_of(self._model), perform)

    def _performed(self) -> Iterator[tuple[str, Callable[[str], object]]]:
        for value in self._values:
            yield f"add {value!r:.30}", self._adding(value)
        if not self._field.primary_key:
            yield "change", self._change
        if self._field.unique:
            yield "is unique", self._add_twice
        if self._field.unique and isinstance(self._field, models.CharField):
            yield "accepts values that begin alike", self._add_alike
        if self._field.unique and not self._field.primary_key and self._others:
            yield "insert or update", self._upsert
        for kinds, title, perform in (
            ((models.CharField, models.TextField), "search", self._search),
            ((models.CharField, models.TextField), "sort", self._sort),
            ((SearchVectorField,), "find", self._find),
            ((models.DateField,), "in a year", self._in_year),
            ((models.JSONField,), "search inside", self._search_inside),
        ):
            if isinstance(self._field, kinds):
                yield title, perform

    def _with(self, value: Any, alias: str) -> tuple[Any, QuerySet[Any]]:
        """Create a row with ``value``, and return it with the query for it."""
        row = create(self._model, alias, **{self._field.name: value})
        return row, self._model._base_manager.using(alias).filter(pk=row.pk)

    def _exist(self, rows: QuerySet[Any], **lookups: Any) -> list[bool]:
        return [rows.filter(**{f"{self._field.name}__{lookup}": value}).exists() for lookup, value in lookups.items()]

    def _adding(self, value: Any) -> Callable[[str], object]:
        def add(alias: str) -> object:
            row, rows = self._with(value, alias)
            has_equality = self._field.get_internal_type() not in {"JSONField", "SearchVectorField", "FloatField"}
            is_found = rows.filter(**{self._field.name: value}).exists() if has_equality else None
            return comparable(getattr(row, self._field.attname), self._field), stored(row), is_found

        return add

    def _change(self, alias: str) -> object:
        rows = self._model._base_manager.using(alias).filter(pk=create(self._model, alias).pk)
        changed = rows.update(**{self._field.name: self._values[-1]})
        return changed, [comparable(value, self._field) for value in rows.values_list(self._field.name, flat=True)]

    def _add_twice(self, alias: str) -> object:
        return is_duplicate_refused(alias, lambda: self._with(self._values[0], alias))

    def _add_alike(self, alias: str) -> object:
        for end in "ab":
            self._with(f"alike {end}", alias)
        return self._model._base_manager.using(alias).filter(**{f"{self._field.name}__startswith": "alike "}).count()

    def _upsert(self, alias: str) -> object:
        manager = self._model._base_manager.using(alias)
        value = {self._field.name: self._values[0]}
        for row in [self._model(**typical(self._model, alias, **value)) for _ in range(2)]:
            how = conflict_on(alias, self._field.name)
            manager.bulk_create([row], update_conflicts=True, update_fields=self._others, **how)
        return manager.filter(**value).count()

    def _search(self, alias: str) -> object:
        _, rows = self._with("Some Text", alias)
        lookups = {"exact": "some text", "iexact": "SOME TEXT", "contains": "me Te", "icontains": "ME TE"}
        lookups |= {"startswith": "Some", "endswith": "ext"}
        return dict(zip(lookups, self._exist(rows, **lookups), strict=True))

    def _sort(self, alias: str) -> object:
        rows = self._model._base_manager.using(alias).order_by(self._field.name)
        return len(rows) >= 0, len(rows.aggregate(most=Max(self._field.name)))

    def _find(self, alias: str) -> object:
        _, rows = self._with(self._values[0], alias)
        return rows.filter(**{self._field.name: "cat"}).exists()

    def _in_year(self, alias: str) -> object:
        _, rows = self._with(self._values[0], alias)
        return self._exist(rows, year=2100, gte=self._values[0])

    def _search_inside(self, alias: str) -> object:
        _, rows = self._with(self._values[0], alias)
        return self._exist(rows, b__c=1.5, has_key="a"), list(rows.values_list(f"{self._field.name}__a", flat=True))


def generated_field_operations(model: type[Model], field: models.GeneratedField) -> Iterator[Operation]:
    """Yield the operations on a column that the database computes."""
    if isinstance(field.output_field, models.CharField | models.TextField):

        def search(alias: str) -> object:
            create(model, alias)
            rows = model._base_manager.using(alias)
            return [
                rows.filter(**{f"{field.name}__{lookup}": "S"}).count() >= 0 for lookup in ("contains", "startswith")
            ]

        yield Operation(f"{model.__name__}.{field.name}: search", tables_of(model), search)
