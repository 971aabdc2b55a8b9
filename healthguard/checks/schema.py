"""Tables and columns that must exist: those that are named, or all that the models imply."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from healthguard.checks.base import Check
from healthguard.databases import database
from healthguard.declared import shown, shown_name
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.schema import (
    Expected,
    ExpectedColumn,
    ExpectedTable,
    Finding,
    Inspection,
    Kind,
    Outcome,
    TableName,
    in_order,
    judge,
    sequences_behind,
)
from healthguard.status import Evidence, Fault, Problem

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from healthguard.history import HiddenChanges


class _SchemaCheck(Check):
    """Looks whether a database is as it is expected; remembers between runs what it need not find out again."""

    alias: str
    _who = "declared as"
    _is_handwritten = True

    def __post_init__(self) -> None:
        self._inspection: Inspection | None = None

    def run(self) -> Mapping[str, Evidence]:
        """Look at the database; returns how much was looked at.

        Raises:
            Unhealthy: the database is not as the code needs it; no answer.
            Degraded: some of what the code does will fail.
        """
        for problem in self.misdeclared():
            raise Unhealthy.of(problem)
        with database(self.alias) as connection:
            inspection = self._inspection
            if inspection is None:
                expected = self._worked_out(connection)
                inspection = self._inspection = Inspection(expected, is_written=self._is_written)
            outcome = self._excused(connection, inspection.outcome(connection))
        tables = len(inspection.expected)
        verdict = judge(outcome, alias=self.alias, tables=tables, who=self._who, is_handwritten=self._is_handwritten)
        if verdict is not None:
            raise verdict
        columns = sum(len(table.columns) for table in inspection.expected.values())
        return {"alias": self.alias, "tables": tables, "columns": columns}

    def _excused(self, connection: BaseDatabaseWrapper, outcome: Outcome) -> Outcome:
        """Return the outcome without what is missing for a good reason.

        Raises:
            Degraded: all of it may be.
        """
        return outcome

    def _worked_out(self, connection: BaseDatabaseWrapper) -> Expected:
        import django.db

        try:
            return self._expected(connection)
        except django.db.Error:
            raise
        except Exception as error:
            raise Unhealthy(
                "models_broken",
                f"What the models imply for database {self.alias!r} cannot be worked out ({type(error).__name__}).",
                fault=Fault.CONFIG,
                hint="A router, or the db_type of a field, raises; 'python manage.py migrate' meets the same error.",
                evidence={"alias": self.alias, "error": type(error).__name__},
            ) from None

    @property
    def _is_written(self) -> bool:
        """True if rows are added and changed there."""
        return False

    def misdeclared(self) -> Iterator[Problem]:
        """What is wrong with the declaration itself."""
        raise NotImplementedError

    def _expected(self, connection: BaseDatabaseWrapper) -> Expected:
        raise NotImplementedError


@dataclasses.dataclass(repr=False)
class RequiredTables(_SchemaCheck):
    """Tables exist, and the database user may read them. One query, however many.

    Args:
        tables: their names; ``schema.table`` where they are not in the search path.
        alias: the alias in DATABASES.
    """

    tables: Sequence[str]
    alias: str = "default"

    def misdeclared(self) -> Iterator[Problem]:
        """What is wrong with the declaration itself."""
        if not _are_names(self.tables) or not self.tables:
            yield Problem.misdeclared("RequiredTables takes a list of table names, at least one.")

    def _expected(self, connection: BaseDatabaseWrapper) -> Expected:
        return {TableName.of(table): ExpectedTable() for table in self.tables}


@dataclasses.dataclass(repr=False)
class RequiredColumns(_SchemaCheck):
    """Columns exist with their types, and the database user may read them. One query, however many.

    Args:
        table: the table's name; ``schema.table`` where it is not in the search path.
        columns: names, or types by name, in any spelling the server understands: ``varchar`` takes in every length,
            ``varchar(20)`` that type of at least 20. SQLite does not enforce types: there only presence counts.
        alias: the alias in DATABASES.
    """

    table: str
    columns: Mapping[str, str | None] | Sequence[str]
    alias: str = "default"

    def misdeclared(self) -> Iterator[Problem]:
        """What is wrong with the declaration itself."""
        if not _is_name(self.table):
            yield Problem.misdeclared("RequiredColumns takes the name of a table.")
            return
        columns = self.columns
        if not _are_names(columns) or not columns:
            yield Problem.misdeclared(
                f"RequiredColumns for {shown_name(self.table)} takes a list of columns, or types by column."
            )
        elif isinstance(columns, Mapping) and not all(type_ is None or _is_name(type_) for type_ in columns.values()):
            yield Problem.misdeclared(
                f"RequiredColumns for {shown_name(self.table)}: a type is a text like 'varchar(20)', or None."
            )

    def _expected(self, connection: BaseDatabaseWrapper) -> Expected:
        types = self.columns if isinstance(self.columns, Mapping) else dict.fromkeys(self.columns)
        columns = {name: ExpectedColumn(type_, is_handwritten=True) for name, type_ in types.items()}
        return {TableName.of(self.table): ExpectedTable(columns)}


@dataclasses.dataclass(repr=False)
class ModelSchema(_SchemaCheck):
    """The database has every table and column that the project's models imply, and takes what they write.

    The models are the declaration: those that ``migrate`` makes tables for in this database. One query, however many.

    Args:
        alias: the alias in DATABASES.
        apps: the labels of the apps to look at; all by default.
        exclude: what to leave out: labels of apps, ``app.Model``, tables, or ``table.column``.
        like: the alias that the routers are asked about in place of ``alias``: for a replica, which the routers keep
            every table out of, its primary's.
        read_only: whether nothing is written to this database: so it is by default where ``like`` is given.
        unmanaged: whether to look for the tables and views of unmanaged models too.
        schemas: the schemas in which every table must exist, as for tenants; by default the search path decides.
        sequences: whether to check that no sequence lags behind the keys of its table, on PostgreSQL: an index look-up
            for each table, which waits for a lock on it.
        may_be_foreign: whether a database that Django has never migrated is only degraded, because it may belong to
            another application. Without a declaration, all databases but the default one are checked that way.
    """

    alias: str = "default"
    apps: Sequence[str] | None = None
    exclude: Sequence[str] = ()
    like: str | None = None
    read_only: bool | None = None
    unmanaged: bool = False
    schemas: Sequence[str] | None = None
    sequences: bool = False
    may_be_foreign: bool = False

    _who = "the model says"
    _is_handwritten = False

    @property
    def _is_written(self) -> bool:
        return not (self.like is not None if self.read_only is None else self.read_only)

    def run(self) -> Mapping[str, Evidence]:
        """Look at the database; returns how much was looked at.

        Raises:
            Unhealthy: the database is not as the models need it; no answer.
            Degraded: some of what the models do will fail, or there was nothing to look at.
        """
        evidence = super().run()
        if not evidence["tables"]:
            raise Degraded(
                "nothing_expected",
                f"Nothing was looked at in database {self.alias!r}: no model has a table there.",
                fault=Fault.CONFIG,
                hint="The routers keep every model out of it. For a replica declare "
                f"ModelSchema({self.alias!r}, like='default'); otherwise leave this check away.",
                evidence=evidence,
            )
        return evidence

    def misdeclared(self) -> Iterator[Problem]:
        """What is wrong with the declaration itself."""
        from django.apps import apps
        from django.db import connections

        if self.like is not None and self.like not in connections:
            yield Problem.misdeclared(f"ModelSchema: like={shown(self.like)} is not an alias of the DATABASES setting.")
        for name, value in (("apps", self.apps), ("exclude", self.exclude), ("schemas", self.schemas)):
            if not _are_names(value) and not (name != "exclude" and value is None):
                yield Problem.misdeclared(f"ModelSchema takes {name} as a list of names.")
                return
        if self.apps is not None:
            unknown = sorted(set(self.apps) - {config.label for config in apps.get_app_configs()})
            if unknown:
                yield Problem.misdeclared(
                    f"ModelSchema: these are not labels of installed apps: {', '.join(map(shown, unknown))}."
                )

    def _excused(self, connection: BaseDatabaseWrapper, outcome: Outcome) -> Outcome:
        if self._inspection is None:
            return outcome
        if self.sequences and self._is_written:
            behind = tuple(sequences_behind(connection, self._inspection.expected))
            outcome = Outcome(in_order((*outcome.findings, *behind)), outcome.elsewhere)
        if not any(finding.kind in _EXCUSABLE for finding in outcome.findings):
            return outcome
        from healthguard.history import applied_migrations, hidden_changes, never_migrated

        missing = sum(finding.kind is Kind.TABLE_MISSING for finding in outcome.findings)
        if missing == len(self._inspection.expected) and not outcome.elsewhere:
            if self.may_be_foreign and applied_migrations(connection) is None:
                raise never_migrated(self.alias)
            return outcome
        try:
            changes = hidden_changes()
        except Exception:
            # A migration cannot be imported: AppliedMigrations reports it, and nothing is excused.
            return outcome
        findings = (excused for finding in outcome.findings if (excused := _excused(finding, changes)) is not None)
        return Outcome(in_order(findings), outcome.elsewhere)

    def _expected(self, connection: BaseDatabaseWrapper) -> Expected:
        # Here, for this module is imported by settings, before there are models.
        from healthguard.schema.from_models import expected_from_models

        expected = expected_from_models(
            connection, labels=self.apps, exclude=self.exclude, like=self.like, unmanaged=self.unmanaged
        )
        if self.schemas is None:
            return expected
        return {
            TableName(table.name, table.schema or schema): columns
            for schema in self.schemas
            for table, columns in expected.items()
        }


_EXCUSABLE = frozenset({Kind.TABLE_MISSING, Kind.COLUMN_MISSING, Kind.TABLE_NOT_WRITABLE})
"""The kinds that a migration may intend."""


def _excused(finding: Finding, changes: HiddenChanges) -> Finding | None:
    """Return the finding as it is to be reported, considering what migrations intend; None for nothing."""
    table = finding.table.name.lower()
    name = table if finding.column is None else f"{table}.{finding.column.lower()}"
    if finding.kind is Kind.TABLE_NOT_WRITABLE and table in changes.views:
        return None
    if finding.kind in _EXCUSABLE and name in changes.removed:
        return dataclasses.replace(finding, kind=Kind.REMOVED_BY_MIGRATION)
    return finding


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def _are_names(value: object) -> bool:
    # No generator: to look through it is to empty it, and nothing would be looked for.
    return isinstance(value, Collection) and not isinstance(value, str) and all(map(_is_name, value))
