"""The checks for rows that the models write and the database does not store."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from healthguard.schema.expected import Expected, ExpectedColumn, ExpectedTable
from healthguard.schema.kinds import Finding, Kind
from healthguard.schema.live import Column, LiveSchema, Table, TableName


def compare_writes(expected: Expected, live: LiveSchema) -> Iterator[Finding]:
    """Yield why INSERTs and UPDATEs will fail, or store what the models do not expect."""
    if live.is_read_only:
        yield Finding(Kind.DATABASE_READ_ONLY, next(iter(expected)))
        return
    existing = {name: live.tables[name] for name, table in expected.items() if table.is_written and name in live.tables}
    is_writer = _is_writer(existing.values())
    for name, table in existing.items():
        if not table.is_readable:
            # It is reported with the same remedy.
            pass
        elif table.refusal is not None:
            yield Finding(Kind.TABLE_NOT_WRITABLE, name, actual=table.refusal)
        elif is_writer and not table.may_insert:
            yield Finding(Kind.TABLE_NOT_WRITABLE, name, actual="does not allow the database user to add rows")
        yield from _columns(name, expected[name], table, live)
        yield from _uniques(name, expected[name], table, live)


def _is_writer(tables: Collection[Table]) -> bool:
    """Return True if the user has the right to add rows to most tables.

    A user without it is one for reading, which may be intended. One that lacks it for some tables is not.
    """
    return 2 * sum(table.may_insert for table in tables) > len(tables)


def _columns(name: TableName, expected: ExpectedTable, table: Table, live: LiveSchema) -> Iterator[Finding]:
    for column_name, wanted in expected.columns.items():
        column = table.columns.get(live.fold(column_name))
        if column is not None:
            for kind in _kinds(wanted, column, table):
                yield Finding(kind, name, column_name)
            if wanted.references is not None and _refers_elsewhere(wanted.references, column_name, table, live):
                yield Finding(Kind.FOREIGN_KEY, name, column_name, expected=str(wanted.references))
    if expected.known is not None:
        known = set(map(live.fold, expected.known))
        for column_name, column in table.columns.items():
            is_left_out = column_name not in known and not column.is_nullable
            if is_left_out and not column.has_default and not column.is_filled:
                yield Finding(Kind.COLUMN_UNEXPECTED, name, column_name)


def _kinds(wanted: ExpectedColumn, column: Column, table: Table) -> Iterator[Kind]:
    if wanted.takes_null and not column.is_nullable:
        yield Kind.COLUMN_NOT_NULL
    if column.is_generated and not wanted.is_generated:
        yield Kind.COLUMN_GENERATED
    elif column.is_always_identity:
        yield Kind.COLUMN_IDENTITY if wanted.is_counted else Kind.COLUMN_GENERATED
    elif not column.is_filled and _lacks_its_value(wanted, column):
        yield Kind.COLUMN_DEFAULT
    if wanted.is_counted and column.is_used_up:
        yield Kind.SEQUENCE_EXHAUSTED
    if wanted.is_counted and table.may_insert and not column.may_count:
        yield Kind.SEQUENCE_DENIED


def _lacks_its_value(wanted: ExpectedColumn, column: Column) -> bool:
    if wanted.is_generated:
        return not column.is_generated
    return (wanted.is_counted and not column.is_counted) or (wanted.needs_default and not column.has_default)


def _refers_elsewhere(target: TableName, column: str, table: Table, live: LiveSchema) -> bool:
    """Return True if the column has foreign keys, and none of them to the right table."""
    found = table.references.get(live.fold(column))
    parent = live.tables.get(target)
    # If a view has taken the place of the table, the key may well refer to what the view shows.
    return found is not None and parent is not None and parent.is_table and parent.id not in found


def _uniques(name: TableName, expected: ExpectedTable, table: Table, live: LiveSchema) -> Iterator[Finding]:
    if table.uniques is None or not table.is_table:
        return
    for columns in expected.uniques:
        key = frozenset(map(live.fold, columns))
        # A key of a partitioned table must contain the columns that it is partitioned by.
        is_kept = any(key <= found if table.is_partitioned else key == found for found in table.uniques)
        if not is_kept and key <= table.columns.keys():
            yield Finding(Kind.UNIQUE_MISSING, name, f"({', '.join(sorted(columns))})")
