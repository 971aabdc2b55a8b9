"""The comparison of the expected schema with the live schema."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping

from healthguard.database.schema.expected import Expected, ExpectedColumn, ExpectedTable
from healthguard.database.schema.kinds import Finding, FindingKind, in_order
from healthguard.database.schema.live import Column, LiveSchema, Table, TableName
from healthguard.database.schema.types import Compatibility, Shape, TypeName, best_compatibility
from healthguard.database.schema.writes import compare_writes


@dataclasses.dataclass(frozen=True, slots=True)
class Types:
    """The rules by which an engine compares types.

    Args:
        canonical: the server's spelling of each expected type; None for a type that the server does not have. Types
            that the server cannot read are left out.
        shapes: the function that returns the shapes that a column of a type can be used as, its own shape first. The
            type must be in the server's spelling.
        is_enforced: True if a column accepts only values of its type.
    """

    canonical: Mapping[str, str | None]
    shapes: Callable[[str], tuple[Shape, ...]]
    is_enforced: bool


def compare(expected: Expected, live: LiveSchema, types: Types, *, is_written: bool = False) -> tuple[Finding, ...]:
    """Return all findings in reporting order.

    Args:
        expected: the tables and columns that must exist.
        live: the tables and columns that exist.
        types: the rules by which the engine compares types.
        is_written: True if rows are added and changed in the database.
    """
    findings = [
        finding
        for name, table in expected.items()
        for finding in (
            _compare(name, table, live.tables[name], live, types, is_written=is_written and table.is_written)
            if name in live.tables
            else (Finding(FindingKind.TABLE_MISSING, name),)
        )
    ]
    if is_written:
        findings += compare_writes(expected, live)
    return in_order(findings)


def _compare(
    name: TableName, expected_table: ExpectedTable, table: Table, live: LiveSchema, types: Types, *, is_written: bool
) -> Iterator[Finding]:
    if not table.is_readable:
        yield Finding(FindingKind.TABLE_UNREADABLE, name)
    for column_name, expected in expected_table.columns.items():
        column = table.columns.get(live.fold(column_name))
        if column is None:
            yield Finding(FindingKind.COLUMN_MISSING, name, column_name)
            continue
        if table.is_readable and not column.is_readable:
            yield Finding(FindingKind.COLUMN_UNREADABLE, name, column_name)
        if column.charset is not None and not expected.has_collation and _is_text(expected.type):
            yield Finding(
                FindingKind.COLUMN_NARROWER,
                name,
                column_name,
                f"{expected.type} in utf8mb4",
                f"{column.type} in {column.charset}",
            )
        if column.is_nondeterministic and not expected.has_collation and expected.type is not None:
            yield Finding(FindingKind.COLUMN_COLLATION, name, column_name)
        type_kind = _type_kind(expected, column, types)
        if type_kind is FindingKind.COLUMN_NARROWER and _fits_auto_key(expected, column, live, types):
            continue
        if type_kind is FindingKind.COLUMN_SCALE and (expected.is_generated or not is_written):
            # Only values that are written are validated.
            continue
        if type_kind is not None:
            yield Finding(type_kind, name, column_name, expected.type, column.type)


def _is_text(type_: str | None) -> bool:
    """Return True if ``type_`` belongs to a field whose values can contain any character."""
    return type_ is not None and type_.startswith(("varchar", "longtext", "text"))


def _type_kind(expected: ExpectedColumn, column: Column, types: Types) -> FindingKind | None:
    # A handwritten type is that of the engine in production. An engine that does not enforce types is rarely that one.
    is_comparable = types.is_enforced or not expected.is_handwritten
    if expected.type is None or column.type is None or not is_comparable:
        return None
    if expected.type not in types.canonical:
        # The db_type of a field may contain more than a type, so only a handwritten type is certainly wrong.
        return FindingKind.UNKNOWN_TYPE if expected.is_handwritten else None
    canonical = types.canonical[expected.type]
    if canonical is None:
        return FindingKind.UNKNOWN_TYPE
    actual = (column.type, *column.base_types)
    if canonical in actual:
        return None
    if column.equal_type is not None and not expected.is_handwritten:
        actual = (column.equal_type, *actual)
    if expected.is_handwritten:
        # A handwritten type must match by name. Its size is a minimum; without a size, every size is accepted.
        actual = tuple(type_ for type_ in actual if _has_same_name(canonical, type_))
        if actual and TypeName.of(canonical).modifiers is None:
            return None
    compatibility = best_compatibility(
        (shape for type_ in actual for shape in types.shapes(type_)), types.shapes(canonical)[0]
    )
    return {
        Compatibility.OTHER: FindingKind.COLUMN_TYPE,
        Compatibility.NARROWER: FindingKind.COLUMN_NARROWER,
        Compatibility.RESCALED: FindingKind.COLUMN_SCALE,
        Compatibility.FITS: None,
    }[compatibility]


def _has_same_name(declared: str, actual: str) -> bool:
    spelling, name = TypeName.of(declared), TypeName.of(actual).name
    # The fields of an interval are a restriction like its precision, not a type of their own.
    return name == spelling.name or (declared == "interval" and name.startswith("interval "))


def _fits_auto_key(expected: ExpectedColumn, column: Column, live: LiveSchema, types: Types) -> bool:
    """Return True if the column is as wide as the automatic key whose values it holds, regardless of the models.

    Both differ from the models if an app does not set ``default_auto_field``, and its migrations were made with another
    DEFAULT_AUTO_FIELD.
    """
    if expected.auto_key is None:
        return False
    table, name = expected.auto_key
    key = live.tables[table].columns.get(live.fold(name)) if table in live.tables else None
    if key is None or key.type is None or column.type is None:
        return False
    return best_compatibility(types.shapes(column.type), types.shapes(key.type)[0]) is Compatibility.FITS
