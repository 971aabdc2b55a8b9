"""What the project's models imply: the tables and columns that a migrated database has."""

from __future__ import annotations

from collections.abc import Collection, Set
from typing import TYPE_CHECKING, Any

from django.apps import AppConfig, apps
from django.db import router
from django.db.models import AutoField, Field, ForeignKey, Model

from healthguard.schema.expected import Expected, ExpectedColumn, ExpectedTable
from healthguard.schema.live import TableName

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


def expected_from_models(
    connection: BaseDatabaseWrapper,
    *,
    labels: Collection[str] | None = None,
    exclude: Collection[str] = (),
    like: str | None = None,
) -> Expected:
    """The tables that ``migrate`` makes in the database of ``connection``, with their columns.

    Args:
        connection: to the database; only its engine matters.
        labels: the apps to look at; all where None.
        exclude: what to leave out: apps, ``app.Model``, tables, or ``table.column``.
        like: the alias that the routers are asked about in place of the connection's own: a replica's primary.
    """
    columns: dict[TableName, dict[str, ExpectedColumn]] = {}
    known: dict[TableName, set[str]] = {}
    # Most columns are like another one.
    shared: dict[ExpectedColumn, ExpectedColumn] = {}
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
        if not _names(model, table).isdisjoint(exclude) or not _belongs(model, connection, like or connection.alias):
            continue
        of_table = columns.setdefault(table, {})
        for name, field in fields.items():
            column = _column(field, connection)
            if column is not None and f"{table}.{name}" not in exclude:
                of_table[name] = shared.setdefault(column, column)
    return {
        table: ExpectedTable(of_table, _of_both(of_table.keys(), known[table] | _left_out(table, exclude)))
        for table, of_table in columns.items()
    }


def keeps_tables(alias: str) -> bool:
    """Whether the routers let any model into the database ``alias``."""
    return any(
        model._meta.managed and not model._meta.proxy and router.allow_migrate_model(alias, model)
        for model in apps.get_models()
    )


def _belongs(model: type[Model], connection: BaseDatabaseWrapper, alias: str) -> bool:
    """Whether ``migrate`` makes the model's table in the database ``alias``."""
    # A many-to-many table is made along with the model that has the field, and the routers are asked about that one.
    maker = model._meta.auto_created if isinstance(model._meta.auto_created, type) else model
    return bool(maker._meta.can_migrate(connection) and router.allow_migrate_model(alias, maker))


def _table(model: type[Model], connection: BaseDatabaseWrapper) -> TableName:
    return TableName.of_quoted(connection.ops.quote_name(model._meta.db_table))


def _column_name(field: Field[Any, Any], connection: BaseDatabaseWrapper) -> str:
    # As in the SQL, without the quotes that somebody may have put into the name.
    return str(connection.ops.quote_name(str(field.column))[1:-1])


def _names(model: type[Model], table: TableName) -> set[str]:
    return {model._meta.app_label, model._meta.label, model._meta.label_lower, str(table)}


def _column(field: Field[Any, Any], connection: BaseDatabaseWrapper) -> ExpectedColumn | None:
    type_ = field.db_parameters(connection)["type"]
    if type_ is None:
        # It makes no column.
        return None
    is_generated = bool(getattr(field, "generated", False))
    return ExpectedColumn(
        type_,
        takes_null=field.null and not is_generated,
        needs_default=isinstance(field, AutoField)
        or is_generated
        # Elsewhere the default is written into the INSERT.
        or (_has_default(field) and connection.features.supports_default_keyword_in_insert),
        counted_by=_automatic_key(field, connection),
    )


def _has_default(field: Field[Any, Any]) -> bool:
    # NULL as a default is none to the database.
    return field.has_db_default() and getattr(field.db_default, "value", field.db_default) is not None


def _automatic_key(field: Field[Any, Any], connection: BaseDatabaseWrapper) -> tuple[TableName, str] | None:
    """The key that ``field`` is, or refers to, if it counts up by itself and its type is left to the setting."""
    while isinstance(field, ForeignKey):
        field = field.target_field
    if not isinstance(field, AutoField) or not _is_type_left_open(field):
        return None
    return _table(field.model, connection), _column_name(field, connection)


def _is_type_left_open(key: AutoField[Any, Any]) -> bool:
    """Whether neither the model nor its app says which type the key has, but DEFAULT_AUTO_FIELD alone.

    Of a many-to-many table nobody does: Django never alters it. https://code.djangoproject.com/ticket/32674
    """
    if key.model._meta.auto_created:
        return True
    config = key.model._meta.app_config
    return key.auto_created and config is not None and type(config).default_auto_field is AppConfig.default_auto_field


def _left_out(table: TableName, exclude: Collection[str]) -> set[str]:
    prefix = f"{table}."
    return {name.removeprefix(prefix) for name in exclude if name.startswith(prefix)}


def _of_both(columns: Set[str], known: Set[str]) -> Set[str]:
    # Nearly always they are the same, and one of them is there anyway.
    return columns if columns == known else known
