"""What is expected against what is there."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from healthguard.schema.live import Column, LiveSchema

Expected: TypeAlias = "Mapping[str, Mapping[str, str | None]]"
"""Columns by table, and a type by column; None where any type will do."""


class Kind(enum.StrEnum):
    """What can be wrong, in the order in which it is told. Also the problem's code."""

    TABLE_MISSING = "table_missing"
    TABLE_UNREADABLE = "table_unreadable"
    COLUMN_MISSING = "column_missing"
    COLUMN_TYPE = "column_type"
    COLUMN_UNREADABLE = "column_unreadable"
    UNKNOWN_TYPE = "unknown_type"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as expected.

    Args:
        kind: what is wrong.
        table: where.
        column: which column; None where it is the whole table.
        expected: the declared type, where it is about types.
        actual: the type in the database, where it is about types.
    """

    kind: Kind
    table: str
    column: str | None = None
    expected: str | None = None
    actual: str | None = None

    @property
    def name(self) -> str:
        """``table`` or ``table.column``."""
        return self.table if self.column is None else f"{self.table}.{self.column}"


_MODIFIERS = re.compile(r"\s*\((.*)\)")
# Which fields an interval has is a restriction like its precision, and no type of its own.
_INTERVAL = re.compile(r"interval\b[a-z ]*")


def compare(expected: Expected, live: LiveSchema) -> list[Finding]:
    """All findings, worst first."""
    findings = [finding for table, columns in expected.items() for finding in _table(table, columns, live)]
    order = list(Kind)
    return sorted(findings, key=lambda finding: order.index(finding.kind))


def _table(name: str, expected: Mapping[str, str | None], live: LiveSchema) -> Iterator[Finding]:
    table = live.tables.get(name)
    if table is None:
        yield Finding(Kind.TABLE_MISSING, name)
        return
    if not table.is_readable:
        yield Finding(Kind.TABLE_UNREADABLE, name)
    for column_name, declared in expected.items():
        column = table.columns.get(live.fold(column_name))
        if column is None:
            yield Finding(Kind.COLUMN_MISSING, name, column_name)
            continue
        if table.is_readable and not column.is_readable:
            yield Finding(Kind.COLUMN_UNREADABLE, name, column_name)
        if declared is not None and live.types is not None:
            canonical = live.types[declared]
            if canonical is None:
                yield Finding(Kind.UNKNOWN_TYPE, name, column_name, declared, column.type)
            elif not _is_of_type(column, canonical):
                yield Finding(Kind.COLUMN_TYPE, name, column_name, declared, column.type)


def _is_of_type(column: Column, canonical: str) -> bool:
    return any(_same_type(actual, canonical) for actual in (column.type, *column.also))


def _same_type(actual: str, declared: str) -> bool:
    """Whether they are one type; modifiers count where they are declared: varchar takes in varchar(20)."""
    if _bare(actual) != _bare(declared):
        return False
    wanted = _modifiers(declared)
    return wanted is None or wanted == _modifiers(actual)


def _bare(type_: str) -> str:
    return _INTERVAL.sub("interval", _MODIFIERS.sub("", type_))


def _modifiers(type_: str) -> list[str] | None:
    match = _MODIFIERS.search(type_)
    if match is None:
        return None
    words = [word.strip().lower() for word in match[1].split(",")]
    # The scale of a number is 0 where none is given.
    return words[:1] if len(words) == 2 and words[1] == "0" else words
