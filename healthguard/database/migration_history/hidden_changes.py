"""Changes that the project's own migrations make to the database and that are not visible in the models.

A migration can rename or drop a table with RunSQL, or with database operations that do not change the state. The model
stays, ``makemigrations --check`` reports nothing, and the table is missing on purpose. A migration can also create a
view for a model.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import apps
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import (
    AlterModelTable,
    CreateModel,
    DeleteModel,
    RemoveField,
    RenameField,
    RenameModel,
    RunSQL,
    SeparateDatabaseAndState,
)

from healthguard.database.migration_history.files import migration_files

_NAME = r"""[\w."`\[\]$]+"""
_IF = r"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?"
_DROPPED = re.compile(rf"\bDROP\s+TABLE\s+{_IF}({_NAME}(?:\s*,\s*{_NAME})*)", re.IGNORECASE)
_RENAMED = re.compile(rf"\bRENAME\s+TABLE\s+{_IF}({_NAME})\s+TO\s+({_NAME})", re.IGNORECASE)
_CREATED = re.compile(
    rf"\bCREATE\s+(?:OR\s+REPLACE\s+)?(?:TABLE|VIEW|MATERIALIZED\s+VIEW)\s+{_IF}({_NAME})", re.IGNORECASE
)
_VIEW_CREATED = re.compile(rf"\bCREATE\s+(?:OR\s+REPLACE\s+)?(?:MATERIALIZED\s+)?VIEW\s+{_IF}({_NAME})", re.IGNORECASE)
_ALTERED = re.compile(rf"\bALTER\s+TABLE\s+{_IF}(?:ONLY\s+)?({_NAME})\s+([^;]*)", re.IGNORECASE)
_RENAMED_TO = re.compile(rf"^\s*RENAME\s+TO\s+({_NAME})", re.IGNORECASE)
_SET_SCHEMA = re.compile(r"^\s*SET\s+SCHEMA\b", re.IGNORECASE)
_COLUMN_DROPPED = re.compile(rf"\bDROP\s+(?:COLUMN\s+)?{_IF}({_NAME})", re.IGNORECASE)
_COLUMN_RENAMED = re.compile(rf"\bRENAME\s+(?:COLUMN\s+)?({_NAME})\s+TO\s+({_NAME})", re.IGNORECASE)
_NON_COLUMN_WORDS = {"constraint", "index", "primary", "foreign", "partition", "key", "default", "not", "to"}


@dataclasses.dataclass(frozen=True, slots=True)
class HiddenChanges:
    """Database changes that are not visible in the models. Names are in lower case and without a schema.

    Args:
        removed: the tables, and the columns as ``table.column``, that are removed and not created again.
        views: the views that are created.
    """

    removed: frozenset[str]
    views: frozenset[str]


def hidden_changes() -> HiddenChanges:
    """Return the hidden changes of all migrations. They are cached while the migrations' files stay the same.

    Raises:
        Exception: any exception of importing a migration.
    """
    return _changes_in(frozenset(migration_files().paths.items()))


@functools.lru_cache(maxsize=1)
def _changes_in(files: frozenset[object]) -> HiddenChanges:
    loader = MigrationLoader(None)
    removed: set[str] = set()
    views: set[str] = set()
    plan = [key for leaf in loader.graph.leaf_nodes() for key in loader.graph.forwards_plan(leaf)]
    for migration in map(loader.graph.nodes.__getitem__, dict.fromkeys(plan)):
        for operation in _hidden_operations(migration.operations):
            _record_operation(operation, migration.app_label, removed)
        views.update(_created_views(migration.operations, migration.app_label))
    return HiddenChanges(frozenset(removed), frozenset(views))


def _created_views(operations: Iterable[Any], app_label: str) -> Iterator[str]:
    """Yield the views that operations create, by SQL or by a third-party operation for view models."""
    for operation in operations:
        if isinstance(operation, CreateModel) and "view" in type(operation).__name__.lower():
            yield _table_name(app_label, operation.name)
    for operation in _hidden_operations(operations):
        if isinstance(operation, RunSQL):
            for statement in _statements(operation.sql):
                yield from (_bare_name(match[1]) for match in _VIEW_CREATED.finditer(statement))


def _hidden_operations(operations: Iterable[Any]) -> Iterator[Any]:
    """Yield the operations that change the database but not the state."""
    for operation in operations:
        if isinstance(operation, SeparateDatabaseAndState):
            yield from operation.database_operations
        elif isinstance(operation, RunSQL):
            yield operation


def _record_operation(operation: Any, app_label: str, removed: set[str]) -> None:
    match operation:
        case SeparateDatabaseAndState():
            for inner in operation.database_operations:
                _record_operation(inner, app_label, removed)
        case RunSQL():
            for statement in _statements(operation.sql):
                _record_sql(statement, removed)
        case DeleteModel():
            removed.add(_table_name(app_label, operation.name))
        case RenameModel():
            removed.add(_table_name(app_label, operation.old_name))
            removed.discard(_table_name(app_label, operation.new_name))
        case AlterModelTable():
            removed.add(_table_name(app_label, operation.name))
        case RemoveField():
            removed.add(f"{_table_name(app_label, operation.model_name)}.{_column_name(app_label, operation)}")
        case RenameField():
            removed.add(f"{_table_name(app_label, operation.model_name)}.{operation.old_name.lower()}")


def _statements(sql: Any) -> Iterator[str]:
    """Yield the SQL texts of a RunSQL, which is one text, or a list of texts or (text, parameters) pairs."""
    for entry in [sql] if isinstance(sql, str) else sql or ():
        yield entry if isinstance(entry, str) else str(entry[0])


def _record_sql(sql: str, removed: set[str]) -> None:
    """Add what the statements of ``sql`` remove to ``removed``, and discard what they create again."""
    for statement in re.sub(r"--[^\n]*", " ", sql).split(";"):
        for match in _DROPPED.finditer(statement):
            removed.update(map(_bare_name, match[1].split(",")))
        for match in _RENAMED.finditer(statement):
            removed.add(_bare_name(match[1]))
            removed.discard(_bare_name(match[2]))
        for match in _CREATED.finditer(statement):
            removed.discard(_bare_name(match[1]))
        for match in _ALTERED.finditer(statement):
            _record_alter_table(_bare_name(match[1]), match[2], removed)


def _record_alter_table(table: str, action: str, removed: set[str]) -> None:
    if renamed := _RENAMED_TO.search(action):
        removed.add(table)
        removed.discard(_bare_name(renamed[1]))
        return
    if _SET_SCHEMA.search(action):
        removed.add(table)
        return
    for match in _COLUMN_DROPPED.finditer(action):
        if _bare_name(match[1]) not in _NON_COLUMN_WORDS:
            removed.add(f"{table}.{_bare_name(match[1])}")
    for match in _COLUMN_RENAMED.finditer(action):
        if _bare_name(match[1]) not in _NON_COLUMN_WORDS:
            removed.add(f"{table}.{_bare_name(match[1])}")
            removed.discard(f"{table}.{_bare_name(match[2])}")


def _bare_name(name: str) -> str:
    return re.sub(r"[\"`\[\]\s]", "", name).rpartition(".")[2].lower()


def _table_name(app_label: str, model: str) -> str:
    try:
        return str(apps.get_model(app_label, model)._meta.db_table).strip('"').lower()
    except LookupError:
        return f"{app_label}_{model}".lower()


def _column_name(app_label: str, operation: RemoveField) -> str:
    try:
        field = apps.get_model(app_label, operation.model_name)._meta.get_field(operation.name)
        return str(getattr(field, "column", operation.name)).lower()
    except LookupError:
        return operation.name.lower()
