"""The checks for tables and columns that must exist: declared ones, or all that the models imply."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from healthguard.checks.base import SABOTAGED_NAME, Check
from healthguard.database.addresses import settings_of
from healthguard.database.queries import database
from healthguard.database.schema import (
    Expected,
    ExpectedColumn,
    ExpectedTable,
    Finding,
    FindingKind,
    Inspected,
    Inspection,
    TableName,
    enforces_types,
    in_order,
    judge,
    sequences_behind,
)
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.secret_values.showable import shown, shown_name
from healthguard.service.sabotages import Sabotage
from healthguard.status import Code, Evidence, Fault, Problem

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from healthguard.database.migration_history import HiddenChanges


class _SchemaCheck(Check):
    """A check that compares a database with an expected schema. It caches the expected schema between runs."""

    alias: str
    _source = "the declaration"
    _is_handwritten = True

    def __post_init__(self) -> None:
        self._inspection: Inspection | None = None

    def run(self) -> Mapping[str, Evidence]:
        """Compare the database with the expected schema, and return the number of checked tables and columns.

        Raises:
            Unhealthy: the database does not have the schema that the code needs.
            Degraded: some operations of the code will fail.
        """
        for problem in self.declaration_errors():
            raise Unhealthy.of(problem)
        with database(self.alias) as connection:
            inspection = self._inspection
            if inspection is None:
                expected = self._resolve_expected(connection)
                inspection = self._inspection = Inspection(expected, is_written=self._is_written)
            outcome = self._without_intended(connection, inspection.outcome(connection))
        tables = len(inspection.expected)
        error = judge(
            outcome, alias=self.alias, tables=tables, source=self._source, is_handwritten=self._is_handwritten
        )
        if error is not None:
            raise error
        columns = sum(len(table.columns) for table in inspection.expected.values())
        return {"alias": self.alias, "tables": tables, "columns": columns}

    def _without_intended(self, connection: BaseDatabaseWrapper, outcome: Inspected) -> Inspected:
        """Return the outcome without the findings that are intended.

        Raises:
            Degraded: Django has never migrated the database, so it may belong to another application.
        """
        return outcome

    def _resolve_expected(self, connection: BaseDatabaseWrapper) -> Expected:
        import django.db

        try:
            expected = self._expected(connection)
        except django.db.Error:
            raise
        except Exception as error:
            raise Unhealthy(
                Code.MODELS_BROKEN,
                f"Could not work out which tables and columns the models need in database {self.alias!r} "
                f"({type(error).__name__}).",
                fault=Fault.CONFIG,
                hint="Check the database routers and the db_type() of custom fields: one of them raises this error. "
                "'python manage.py migrate' fails with the same error.",
                evidence={"alias": self.alias, "error": type(error).__name__},
            ) from None
        return cast("Expected", self._altered(expected))

    def _sabotage_tables(self) -> Sabotage:
        check = self._sabotaged(lambda expected: {**expected, TableName(SABOTAGED_NAME): ExpectedTable()})
        return Sabotage("one table more", check, [Code.TABLE_MISSING])

    def _sabotage_columns(self) -> Sabotage:
        return Sabotage("one column more", self._sabotaged(_with_one_column_more), [Code.COLUMN_MISSING])

    def _sabotage_types(self) -> Sabotage:
        return Sabotage("another type of a column", self._sabotaged(_with_other_type), [Code.COLUMN_TYPE])

    @property
    def _is_written(self) -> bool:
        """True if rows are added and changed in the database."""
        return False

    def declaration_errors(self) -> Iterator[Problem]:
        """Yield the problems of the declaration itself."""
        raise NotImplementedError

    def _expected(self, connection: BaseDatabaseWrapper) -> Expected:
        raise NotImplementedError


@dataclasses.dataclass(repr=False)
class RequiredTables(_SchemaCheck):
    """A check that tables exist and that the database user may read them, with one query for all tables.

    Args:
        tables: the names of the tables; ``schema.table`` for a table outside the search path.
        alias: the alias in DATABASES.
    """

    tables: Sequence[str]
    alias: str = "default"

    def sabotages(self) -> Iterator[Sabotage]:
        """Yield a copy that requires one table more."""
        yield self._sabotage_tables()

    def declaration_errors(self) -> Iterator[Problem]:
        """Yield the problems of the declaration itself."""
        if not _are_names(self.tables) or not self.tables:
            yield Problem.invalid_declaration("RequiredTables takes a list of at least one table name.")

    def _expected(self, connection: BaseDatabaseWrapper) -> Expected:
        return {TableName.of(table): ExpectedTable() for table in self.tables}


@dataclasses.dataclass(repr=False)
class RequiredColumns(_SchemaCheck):
    """A check that columns exist with their types and that the database user may read them, with one query.

    Args:
        table: the name of the table; ``schema.table`` for a table outside the search path.
        columns: the names of the columns, or their types by name, in any spelling that the server understands.
            ``varchar`` accepts every length, ``varchar(20)`` a length of at least 20. SQLite does not enforce types,
            so on SQLite only the presence of the columns is checked.
        alias: the alias in DATABASES.
    """

    table: str
    columns: Mapping[str, str | None] | Sequence[str]
    alias: str = "default"

    def sabotages(self) -> Iterator[Sabotage]:
        """Yield a copy that requires one column more, and one that requires another type if types are declared."""
        yield self._sabotage_columns()
        has_types = isinstance(self.columns, Mapping) and any(type_ is not None for type_ in self.columns.values())
        if has_types and enforces_types(self.alias):
            yield self._sabotage_types()

    def declaration_errors(self) -> Iterator[Problem]:
        """Yield the problems of the declaration itself."""
        if not _is_name(self.table):
            yield Problem.invalid_declaration("RequiredColumns takes the name of a table as its first argument.")
            return
        columns = self.columns
        if not _are_names(columns) or not columns:
            yield Problem.invalid_declaration(
                f"RequiredColumns for {shown_name(self.table)} takes a list of columns, or a dict of types by column."
            )
        elif isinstance(columns, Mapping) and not all(type_ is None or _is_name(type_) for type_ in columns.values()):
            yield Problem.invalid_declaration(
                f"RequiredColumns for {shown_name(self.table)}: each type must be a string like 'varchar(20)', or None."
            )

    def _expected(self, connection: BaseDatabaseWrapper) -> Expected:
        types = self.columns if isinstance(self.columns, Mapping) else dict.fromkeys(self.columns)
        columns = {name: ExpectedColumn(type_, is_handwritten=True) for name, type_ in types.items()}
        return {TableName.of(self.table): ExpectedTable(columns)}


@dataclasses.dataclass(repr=False)
class ModelSchema(_SchemaCheck):
    """A check that the database has every table and column that the models imply, and accepts the rows they write.

    The models for which ``migrate`` creates tables in this database are the declaration. One query checks all of them.

    Args:
        alias: the alias in DATABASES.
        apps: the labels of the apps to check; all apps by default.
        exclude: the app labels, models (``app.Model``), tables and columns (``table.column``) to leave out.
        mirror_of: the alias to pass to the routers instead of ``alias``. For a replica, whose tables they route to the
            primary, this is the primary's alias.
        read_only: True if nothing is written to this database; by default, True if ``mirror_of`` is set.
        unmanaged: True to check the tables and views of unmanaged models too.
        schemas: the schemas in which every table must exist, such as those of tenants; by default, the search path
            decides.
        sequences: True to check on PostgreSQL that no sequence lags behind the keys of its table. This takes an index
            lookup for each table, which waits if the table is locked.
        may_be_foreign: True if a database that Django has never migrated is only degraded, because it may belong to
            another application. Without a declaration, all databases except the default one are checked that way.
    """

    alias: str = "default"
    apps: Sequence[str] | None = None
    exclude: Sequence[str] = ()
    mirror_of: str | None = None
    read_only: bool | None = None
    unmanaged: bool = False
    schemas: Sequence[str] | None = None
    sequences: bool = False
    may_be_foreign: bool = False

    _source = "the model"
    _is_handwritten = False

    def sabotages(self) -> Iterator[Sabotage]:
        """Yield copies that require one table more, one column more, and another type of a column."""
        yield self._sabotage_tables()
        yield self._sabotage_columns()
        if enforces_types(self.alias):
            yield self._sabotage_types()

    @property
    def _is_written(self) -> bool:
        return not (self.mirror_of is not None if self.read_only is None else self.read_only)

    def run(self) -> Mapping[str, Evidence]:
        """Compare the database with the models, and return the number of checked tables and columns.

        Raises:
            Unhealthy: the database does not have the schema that the models need.
            Degraded: some operations of the models will fail, or there was nothing to check.
        """
        evidence = super().run()
        if not evidence["tables"]:
            raise Degraded(
                Code.NOTHING_EXPECTED,
                f"Nothing was checked in database {self.alias!r}: no model has a table in it.",
                fault=Fault.CONFIG,
                hint="The database routers allow no model in it. For a replica, declare "
                f"ModelSchema({self.alias!r}, mirror_of='default'). Otherwise, remove this check.",
                evidence=evidence,
            )
        if self.schemas is None and _has_tenants(self.alias):
            return {**evidence, "tenants": "not checked: declare their schemas"}
        return evidence

    def declaration_errors(self) -> Iterator[Problem]:
        """Yield the problems of the declaration itself."""
        from django.apps import apps
        from django.db import connections

        if self.mirror_of is not None and self.mirror_of not in connections:
            yield Problem.invalid_declaration(
                f"ModelSchema: mirror_of={shown(self.mirror_of)} is not an alias of the DATABASES setting."
            )
        for name, value in (("apps", self.apps), ("exclude", self.exclude), ("schemas", self.schemas)):
            if not _are_names(value) and not (name != "exclude" and value is None):
                yield Problem.invalid_declaration(f"ModelSchema: {name} must be a list of names.")
                return
        if self.apps is not None:
            unknown = sorted(set(self.apps) - {config.label for config in apps.get_app_configs()})
            if unknown:
                yield Problem.invalid_declaration(
                    f"ModelSchema: these are not labels of installed apps: {', '.join(map(shown, unknown))}."
                )

    def _without_intended(self, connection: BaseDatabaseWrapper, outcome: Inspected) -> Inspected:
        if self._inspection is None:
            return outcome
        if self.sequences and self._is_written:
            behind = tuple(sequences_behind(connection, self._inspection.expected))
            outcome = Inspected(in_order((*outcome.findings, *behind)), outcome.elsewhere)
        if not any(finding.kind in _MAY_BE_INTENDED for finding in outcome.findings):
            return outcome
        from healthguard.database.migration_history import applied_migrations, hidden_changes, never_migrated

        missing = sum(finding.kind is FindingKind.TABLE_MISSING for finding in outcome.findings)
        if missing == len(self._inspection.expected) and not outcome.elsewhere:
            if self.may_be_foreign and applied_migrations(connection) is None:
                raise never_migrated(self.alias)
            return outcome
        try:
            changes = hidden_changes()
        except Exception:
            # A migration cannot be imported. AppliedMigrations reports that, so report all findings here.
            return outcome
        findings = (_reclassified(finding, changes) for finding in outcome.findings)
        return Inspected(in_order(finding for finding in findings if finding is not None), outcome.elsewhere)

    def _expected(self, connection: BaseDatabaseWrapper) -> Expected:
        # Imported here because settings modules import this module before any model exists.
        from healthguard.database.schema.from_models import expected_from_models

        expected = expected_from_models(
            connection, labels=self.apps, exclude=self.exclude, mirror_of=self.mirror_of, unmanaged=self.unmanaged
        )
        if self.schemas is None:
            return expected
        return {
            TableName(table.name, table.schema or schema): columns
            for schema in self.schemas
            for table, columns in expected.items()
        }


def _with_one_column_more(expected: Expected) -> Expected:
    for table, declared in expected.items():
        columns = {**declared.columns, SABOTAGED_NAME: ExpectedColumn()}
        return {**expected, table: dataclasses.replace(declared, columns=columns)}
    return expected


def _with_other_type(expected: Expected) -> Expected:
    """Return a schema in which one column has a type that its values do not fit into."""
    for table, declared in expected.items():
        for name, column in declared.columns.items():
            if column.type is not None:
                # The type may have quotes or a schema, or be a domain of dates.
                changed = column._replace(type="integer" if "date" in column.type.lower() else "date")
                return {**expected, table: dataclasses.replace(declared, columns={**declared.columns, name: changed})}
    return expected


# The packages whose engines keep each tenant in its own schema.
_TENANT_ENGINES = ("django_tenants.", "tenant_schemas.", "django_pgschemas.")


def _has_tenants(alias: str) -> bool:
    return str(settings_of(alias).get("ENGINE", "")).startswith(_TENANT_ENGINES)


_MAY_BE_INTENDED = frozenset({FindingKind.TABLE_MISSING, FindingKind.COLUMN_MISSING, FindingKind.TABLE_NOT_WRITABLE})
"""The kinds of findings that a migration may intend."""


def _reclassified(finding: Finding, changes: HiddenChanges) -> Finding | None:
    """Return the finding to report in view of the changes that migrations intend, or None if it is intended."""
    table = finding.table.name.lower()
    name = table if finding.column is None else f"{table}.{finding.column.lower()}"
    if finding.kind is FindingKind.TABLE_NOT_WRITABLE and table in changes.views:
        return None
    if finding.kind in _MAY_BE_INTENDED and name in changes.removed:
        return dataclasses.replace(finding, kind=FindingKind.REMOVED_BY_MIGRATION)
    return finding


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def _are_names(value: object) -> bool:
    # Reject generators: checking the names would exhaust one, and no table or column would be left to check.
    return isinstance(value, Collection) and not isinstance(value, str) and all(map(_is_name, value))
