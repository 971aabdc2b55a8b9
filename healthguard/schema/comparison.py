"""What is expected against what is there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping

from healthguard.schema.expected import Expected, ExpectedColumn, ExpectedTable
from healthguard.schema.kinds import Finding, Kind, in_order
from healthguard.schema.live import Column, LiveSchema, Table, TableName
from healthguard.schema.types import Fit, Shape, Spelling, best_fit
from healthguard.schema.writes import compare_writes


@dataclasses.dataclass(frozen=True, slots=True)
class Types:
    """How an engine tells types apart.

    Args:
        canonical: the server's spelling of each expected type: None for a type that it does not have; without those
            that it cannot read.
        shapes: what a column of a type, in that spelling, can be taken for; its own shape first.
    """

    canonical: Mapping[str, str | None]
    shapes: Callable[[str], tuple[Shape, ...]]


def compare(expected: Expected, live: LiveSchema, types: Types, *, is_written: bool = False) -> tuple[Finding, ...]:
    """Return all findings, in the order of their kinds.

    Args:
        expected: the tables and columns that must exist.
        live: those that do.
        types: how the engine compares types.
        is_written: whether rows are added and changed there.
    """
    findings = [
        finding
        for name, table in expected.items()
        for finding in (
            _compare(name, table, live.tables[name], live, types)
            if name in live.tables
            else (Finding(Kind.TABLE_MISSING, name),)
        )
    ]
    if is_written:
        findings += compare_writes(expected, live)
    return in_order(findings)


def _compare(
    name: TableName, expected: ExpectedTable, table: Table, live: LiveSchema, types: Types
) -> Iterator[Finding]:
    if not table.is_readable:
        yield Finding(Kind.TABLE_UNREADABLE, name)
    for column_name, wanted in expected.columns.items():
        column = table.columns.get(live.fold(column_name))
        if column is None:
            yield Finding(Kind.COLUMN_MISSING, name, column_name)
            continue
        if table.is_readable and not column.is_readable:
            yield Finding(Kind.COLUMN_UNREADABLE, name, column_name)
        if column.charset is not None and not wanted.has_collation and _is_text(wanted.type):
            yield Finding(
                Kind.COLUMN_NARROWER,
                name,
                column_name,
                f"{wanted.type} in utf8mb4",
                f"{column.type} in {column.charset}",
            )
        if column.is_nondeterministic and not wanted.has_collation and wanted.type is not None:
            yield Finding(Kind.COLUMN_COLLATION, name, column_name)
        type_kind = _type(wanted, column, types)
        if type_kind is Kind.COLUMN_NARROWER and _takes_its_key(wanted, column, live, types):
            continue
        if type_kind is not None:
            yield Finding(type_kind, name, column_name, wanted.type, column.type)


def _is_text(type_: str | None) -> bool:
    """Return True for the types of fields whose values can hold any character."""
    return type_ is not None and type_.startswith(("varchar", "longtext", "text"))


def _type(wanted: ExpectedColumn, column: Column, types: Types) -> Kind | None:
    if wanted.type is None or column.type is None:
        return None
    if wanted.type not in types.canonical:
        # A field may be declared with more than a type. Only of what a person wrote is it known that it is wrong.
        return Kind.UNKNOWN_TYPE if wanted.is_handwritten else None
    canonical = types.canonical[wanted.type]
    if canonical is None:
        return Kind.UNKNOWN_TYPE
    actual = (column.type, *column.also)
    if canonical in actual:
        return None
    if wanted.is_handwritten:
        # A person who names a type means that one. A size is meant as the least, and none as any.
        actual = tuple(type_ for type_ in actual if _is_named(canonical, type_))
        if actual and Spelling.of(canonical).modifiers is None:
            return None
    fit = best_fit((shape for type_ in actual for shape in types.shapes(type_)), types.shapes(canonical)[0])
    return {Fit.OTHER: Kind.COLUMN_TYPE, Fit.NARROWER: Kind.COLUMN_NARROWER, Fit.FITS: None}[fit]


def _is_named(declared: str, actual: str) -> bool:
    spelling, name = Spelling.of(declared), Spelling.of(actual).name
    # Which fields an interval has is a restriction like its precision, and no type of its own.
    return name == spelling.name or (declared == "interval" and name.startswith("interval "))


def _takes_its_key(wanted: ExpectedColumn, column: Column, live: LiveSchema, types: Types) -> bool:
    """Whether the column is as wide as the automatic key whose numbers it holds, whatever the models say of both.

    So it is where DEFAULT_AUTO_FIELD is not what the migrations of an app that leaves it open were made with.
    """
    if wanted.counted_by is None:
        return False
    table, name = wanted.counted_by
    key = live.tables[table].columns.get(live.fold(name)) if table in live.tables else None
    if key is None or key.type is None or column.type is None:
        return False
    return best_fit(types.shapes(column.type), types.shapes(key.type)[0]) is Fit.FITS
