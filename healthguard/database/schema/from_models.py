"""The schema that the project's models imply: the tables and columns of a migrated database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Set
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import router
from django.db.models import (
    AutoField,
    CompositePrimaryKey,
    Field,
    ForeignKey,
    Model,
    UniqueConstraint,
)

from healthguard.database.schema.automatic_keys import AutomaticKeys
from healthguard.database.schema.expected import Expected, ExpectedColumn, ExpectedTable
from healthguard.database.schema.live import TableName

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


def expected_from_models(
    connection: BaseDatabaseWrapper,
    *,
    labels: Collection[str] | None = None,
    exclude: Collection[str] = (),
    mirror_of: str | None = None,
    unmanaged: bool = False,
) -> Expected:
    """Return the tables that ``migrate`` creates in the database of ``connection``, with their columns.

    Args:
        connection: the connection to the database. Only its engine and its alias matter.
        labels: the labels of the apps to include; None for all.
        exclude: the apps, models (``app.Model``), tables and columns (``table.column``) to leave out.
        mirror_of: the alias to pass to the routers instead of the connection's own: for a replica, its primary.
        unmanaged: True to include the tables and views of unmanaged models.
    """
    columns: dict[TableName, dict[str, ExpectedColumn]] = {}
    known: dict[TableName, set[str]] = {}
    uniques: dict[TableName, set[frozenset[str]]] = {}
    unmanaged_tables: set[TableName] = set()
    # Most columns are equal to another one, so they share an object.
    shared: dict[ExpectedColumn, ExpectedColumn] = {}
    keys = AutomaticKeys(apps.get_models())
    for model in apps.get_models(include_auto_created=True):
        table = _table(model, connection)
        fields = {
            _column_name(field, connection): field
            for field in model._meta.local_concrete_fields
            if field.column is not None
        }
        known.setdefault(table, set()).update(fields)
        if labels is not None and model._meta.app_label not in labels:
            continue
        alias = mirror_of or connection.alias
        is_managed = _is_created(model, connection, alias)
        if not is_managed and unmanaged and _is_read(model, connection, alias):
            unmanaged_tables.add(table)
        elif not is_managed:
            continue
        if not _exclude_names(model, table).isdisjoint(exclude):
            continue
        table_columns = columns.setdefault(table, {})
        for name, field in fields.items():
            column = _column(field, keys, connection)
            if column is not None and f"{table}.{name}" not in exclude:
                table_columns[name] = shared.setdefault(column, column)
        uniques.setdefault(table, set()).update(
            key for key in _uniques(model, connection) if key <= table_columns.keys()
        )
    return {
        table: ExpectedTable(
            table_columns,
            _shared_if_equal(table_columns.keys(), known[table] | _excluded_columns(table, exclude)),
            frozenset(uniques[table]),
            is_written=table not in unmanaged_tables,
        )
        for table, table_columns in columns.items()
    }


def keeps_tables(alias: str) -> bool:
    """Return True if the routers allow any model in the database ``alias``."""
    return any(
        model._meta.managed and not model._meta.proxy and router.allow_migrate_model(alias, model)
        for model in apps.get_models()
    )


def _is_created(model: type[Model], connection: BaseDatabaseWrapper, alias: str) -> bool:
    """Return True if ``migrate`` creates the model's table in the database ``alias``."""
    # A many-to-many table is created with the model that has the field, so that model is passed to the routers.
    owner = model._meta.auto_created if isinstance(model._meta.auto_created, type) else model
    return bool(owner._meta.can_migrate(connection) and router.allow_migrate_model(alias, owner))


def _is_read(model: type[Model], connection: BaseDatabaseWrapper, alias: str) -> bool:
    """Return True if the model is unmanaged and its table or view is used in the database ``alias``."""
    options = model._meta
    if options.managed or options.proxy or options.swapped:
        return False
    is_possible = options.required_db_vendor in (None, connection.vendor)
    return is_possible and bool(router.allow_migrate_model(alias, model))


def _table(model: type[Model], connection: BaseDatabaseWrapper) -> TableName:
    return TableName.of_quoted(connection.ops.quote_name(model._meta.db_table))


def _column_name(field: Field[Any, Any], connection: BaseDatabaseWrapper) -> str:
    # The name as in the SQL, without quotes that the model may have put around it.
    return str(connection.ops.quote_name(str(field.column))[1:-1])


def _exclude_names(model: type[Model], table: TableName) -> set[str]:
    return {model._meta.app_label, model._meta.label, model._meta.label_lower, str(table)}


def _column(field: Field[Any, Any], keys: AutomaticKeys, connection: BaseDatabaseWrapper) -> ExpectedColumn | None:
    parameters = field.db_parameters(connection)
    type_ = parameters["type"]
    if type_ is None:
        # The field has no column.
        return None
    is_generated = bool(getattr(field, "generated", False))
    key = keys.held_by(field)
    return ExpectedColumn(
        type_,
        takes_null=field.null and not is_generated,
        # On other engines, Django writes the default into the INSERT.
        needs_default=_has_default(field) and connection.features.supports_default_keyword_in_insert,
        is_generated=is_generated,
        is_automatic=isinstance(field, AutoField),
        has_collation=bool(getattr(field, "db_collation", None)),
        references=_referred_table(field, connection),
        auto_key=None if key is None else (_table(key.model, connection), _column_name(key, connection)),
        has_check=bool(parameters.get("check")),
    )


def _referred_table(field: Field[Any, Any], connection: BaseDatabaseWrapper) -> TableName | None:
    if not isinstance(field, ForeignKey) or not getattr(field, "db_constraint", True):
        return None
    return _table(field.target_field.model, connection)


def _uniques(model: type[Model], connection: BaseDatabaseWrapper) -> Iterator[frozenset[str]]:
    """Yield the sets of columns that the model declares as unique without a condition."""
    options = model._meta
    local = {field.name: field for field in options.local_concrete_fields if field.column is not None}
    names = [*options.unique_together, *([field.name] for field in local.values() if field.unique)]
    names += [
        constraint.fields
        for constraint in options.constraints
        if isinstance(constraint, UniqueConstraint)
        and constraint.fields
        and constraint.condition is None
        and constraint.nulls_distinct is None
    ]
    if isinstance(options.pk, CompositePrimaryKey):
        names.append([field.name for field in options.pk_fields])
    for fields in names:
        if all(name in local for name in fields):
            yield frozenset(_column_name(local[name], connection) for name in fields)


def _has_default(field: Field[Any, Any]) -> bool:
    # For the database, a default of NULL is the same as no default.
    return field.has_db_default() and getattr(field.db_default, "value", field.db_default) is not None


def _excluded_columns(table: TableName, exclude: Collection[str]) -> set[str]:
    prefix = f"{table}."
    return {name.removeprefix(prefix) for name in exclude if name.startswith(prefix)}


def _shared_if_equal(columns: Set[str], known: Set[str]) -> Set[str]:
    # The sets are nearly always equal, and the first one is stored anyway.
    return columns if columns == known else known
