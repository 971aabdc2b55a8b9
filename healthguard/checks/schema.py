"""Tables and columns that must exist."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from health_check.base import HealthCheck

from healthguard.databases import database
from healthguard.exceptions import Unhealthy
from healthguard.schema import Expected, Finding, Kind, LiveSchema, compare, read_schema
from healthguard.status import Evidence, Fault, Problem

_MAX_EVIDENCE = 20

_HINTS = {
    Kind.TABLE_MISSING: "See that DATABASE_URL names the right database, and run 'python manage.py migrate' against "
    "it; if nothing is pending, the table was dropped by hand.",
    Kind.TABLE_UNREADABLE: "Grant the database user SELECT on the tables, and USAGE on their schema.",
    Kind.COLUMN_MISSING: "Run 'python manage.py migrate' against this database; if nothing is pending, the table was "
    "altered by hand.",
    Kind.COLUMN_TYPE: "Migrate the column to the declared type, or mend the declaration.",
    Kind.COLUMN_UNREADABLE: "Grant the database user SELECT on the columns.",
    Kind.UNKNOWN_TYPE: "Mend the type in the declaration, or create the extension or domain that defines it.",
}
_WORDS = {
    Kind.TABLE_UNREADABLE: "the user may not read",
    Kind.COLUMN_MISSING: "no such column:",
    Kind.COLUMN_UNREADABLE: "the user may not read column",
}


@dataclasses.dataclass
class RequiredTables(HealthCheck):
    """Tables exist, and the database user may read them. One query, however many.

    Args:
        tables: their names; ``schema.table`` where they are not in the search path.
        alias: the alias in DATABASES.
    """

    tables: Sequence[str]
    alias: str = "default"

    def run(self) -> None:
        """Look for the tables.

        Raises:
            Unhealthy: a table is missing or may not be read; no answer.
        """
        for problem in self.misdeclared():
            raise Unhealthy.of(problem)
        _require({table: {} for table in self.tables}, self.alias)

    def misdeclared(self) -> Iterator[Problem]:
        """What is wrong with the declaration itself."""
        if isinstance(self.tables, str) or not self.tables or not all(_is_name(table) for table in self.tables):
            yield _misdeclared("RequiredTables takes a list of table names, at least one.")


@dataclasses.dataclass
class RequiredColumns(HealthCheck):
    """Columns exist with their types, and the database user may read them. One query, however many.

    Args:
        table: the table's name; ``schema.table`` where it is not in the search path.
        columns: names, or types by name, in any spelling the server understands: ``varchar`` takes in every length,
            ``varchar(20)`` only that one. SQLite does not enforce types: there only presence counts.
        alias: the alias in DATABASES.
    """

    table: str
    columns: Mapping[str, str | None] | Sequence[str]
    alias: str = "default"

    def run(self) -> None:
        """Look for the columns.

        Raises:
            Unhealthy: the table or a column is missing, of another type or may not be read; no answer.
        """
        for problem in self.misdeclared():
            raise Unhealthy.of(problem)
        types = self.columns if isinstance(self.columns, Mapping) else dict.fromkeys(self.columns)
        _require({self.table: types}, self.alias)

    def misdeclared(self) -> Iterator[Problem]:
        """What is wrong with the declaration itself."""
        if not _is_name(self.table):
            yield _misdeclared("RequiredColumns takes the name of a table.")
        columns = self.columns
        if isinstance(columns, str) or not columns or not all(_is_name(column) for column in columns):
            yield _misdeclared(f"RequiredColumns for {self.table} takes a list of columns, or types by column.")
        elif isinstance(columns, Mapping) and not all(type_ is None or _is_name(type_) for type_ in columns.values()):
            yield _misdeclared(f"RequiredColumns for {self.table}: a type is a text like 'varchar(20)', or None.")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def _misdeclared(message: str) -> Problem:
    return Problem("misdeclared", Fault.CONFIG, message, "Mend it in the HEALTHGUARD setting.")


def _require(expected: Expected, alias: str) -> None:
    types = [declared for columns in expected.values() for declared in columns.values() if declared is not None]
    with database(alias) as connection:
        live = read_schema(connection, list(expected), types)
    findings = compare(expected, live)
    if findings:
        raise Unhealthy.of(_problem(findings, expected, live, alias))


def _problem(findings: list[Finding], expected: Expected, live: LiveSchema, alias: str) -> Problem:
    by_kind: dict[Kind, list[Finding]] = {}
    for finding in findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    worst = next(iter(by_kind))
    message = "; ".join(_sentence(kind, found, len(expected)) for kind, found in by_kind.items())
    elsewhere = {
        finding.table: live.elsewhere[finding.table] for finding in findings if finding.table in live.elsewhere
    }
    evidence: dict[str, Evidence] = {"alias": alias}
    for kind, found in by_kind.items():
        evidence[kind] = [_told(finding) for finding in found[:_MAX_EVIDENCE]]
        if len(found) > _MAX_EVIDENCE:
            evidence[f"{kind}_more"] = len(found) - _MAX_EVIDENCE
    hint = _HINTS[worst]
    if elsewhere:
        schemas = sorted({schema for found_in in elsewhere.values() for schema in found_in})
        evidence["found_in_schemas"] = list(schemas)
        hint = (
            f"{_names(sorted(elsewhere))} stands in schema {', '.join(schemas)}, which is not in the user's "
            "search_path, or on which the user has no USAGE: set the search_path, or declare 'schema.table'."
        )
    return Problem(worst, Fault.CONFIG, f"{message[0].upper()}{message[1:]}.", hint, evidence)


def _sentence(kind: Kind, found: list[Finding], tables: int) -> str:
    names = [finding.name for finding in found]
    if kind is Kind.TABLE_MISSING:
        if len(found) == tables > 1:
            return f"0 of {tables} tables exist, a wrong or empty database: {_names(names)} missing"
        return f"table {_names(names)} does not exist" if len(found) == 1 else f"tables do not exist: {_names(names)}"
    if kind in (Kind.COLUMN_TYPE, Kind.UNKNOWN_TYPE):
        told = [
            f"column {finding.name} is {finding.actual}, declared as {finding.expected}"
            + (", which this server does not know" if kind is Kind.UNKNOWN_TYPE else "")
            for finding in found
        ]
        return _names(told)
    return f"{_WORDS[kind]} {_names(names)}"


def _told(finding: Finding) -> Evidence:
    if finding.expected is None:
        return finding.name
    return {"column": finding.name, "expected": finding.expected, "actual": finding.actual}


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MAX_EVIDENCE])
    return shown if len(names) <= _MAX_EVIDENCE else f"{shown} and {len(names) - _MAX_EVIDENCE} more"
