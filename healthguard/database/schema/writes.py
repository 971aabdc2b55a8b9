"""The comparison of the rows that the models write with the rows that the database accepts."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from healthguard.database.schema.expected import Expected, ExpectedColumn, ExpectedTable
from healthguard.database.schema.kinds import Finding, FindingKind
from healthguard.database.schema.live import Column, LiveSchema, Table, TableName


def compare_writes(expected: Expected, live: LiveSchema) -> Iterator[Finding]:
    """Yield the reasons that INSERTs and UPDATEs will fail, or will store values that the models do not expect."""
    if live.is_read_only:
        yield Finding(FindingKind.DATABASE_READ_ONLY, next(iter(expected)))
        return
    existing = {name: live.tables[name] for name, table in expected.items() if table.is_written and name in live.tables}
    is_writer = _is_writer(existing.values())
    for name, table in existing.items():
        if not table.is_readable:
            # The comparison has reported it already, with the same remedy.
            pass
        elif table.insert_problem is not None:
            yield Finding(FindingKind.TABLE_NOT_WRITABLE, name, actual=table.insert_problem)
        elif is_writer and not _may_insert(expected[name], table, live):
            yield Finding(
                FindingKind.TABLE_NOT_WRITABLE, name, actual="lacks an INSERT privilege for the database user"
            )
        yield from _column_findings(name, expected[name], table, live)
        yield from _unknown_column_findings(name, expected[name], table, live)
        yield from _unique_findings(name, expected[name], table, live)


def _is_writer(tables: Collection[Table]) -> bool:
    """Return True if the user has the privilege to add rows to most tables.

    A user without this privilege may be meant for reading only. A user that lacks it for a few tables is not.
    """
    return 2 * sum(table.may_insert for table in tables) > len(tables)


def _may_insert(expected: ExpectedTable, table: Table, live: LiveSchema) -> bool:
    """Return True if the user may set each column that an INSERT of the model names."""
    inserted = (
        table.columns.get(live.fold(name))
        for name, column in expected.columns.items()
        if not (column.is_automatic or column.is_generated)
    )
    return table.may_insert and all(column is None or column.may_insert for column in inserted)


def _column_findings(
    name: TableName, expected_table: ExpectedTable, table: Table, live: LiveSchema
) -> Iterator[Finding]:
    for column_name, expected in expected_table.columns.items():
        column = table.columns.get(live.fold(column_name))
        if column is None:
            continue
        for kind in _column_kinds(expected, column, table):
            yield Finding(kind, name, column_name)
        if column.is_json and _is_any_text(expected):
            actual = f"{column.type} that accepts only JSON"
            yield Finding(FindingKind.COLUMN_NARROWER, name, column_name, expected.type, actual)
        if expected.references is not None and _refers_elsewhere(expected.references, column_name, table, live):
            yield Finding(FindingKind.FOREIGN_KEY, name, column_name, expected=str(expected.references))


def _unknown_column_findings(
    name: TableName, expected_table: ExpectedTable, table: Table, live: LiveSchema
) -> Iterator[Finding]:
    if expected_table.known is None:
        return
    known = set(map(live.fold, expected_table.known))
    for column_name, column in table.columns.items():
        if column_name in known:
            continue
        if not (column.is_nullable or column.has_default or column.is_filled):
            yield Finding(FindingKind.COLUMN_UNEXPECTED, name, column_name)
        if column.is_automatic and table.may_insert and not column.may_use_sequence:
            yield Finding(FindingKind.SEQUENCE_DENIED, name, column_name)


def _is_any_text(expected: ExpectedColumn) -> bool:
    """Return True if the model writes texts of any form to the column."""
    is_text = expected.type is not None and expected.type.startswith(("char", "varchar", "text", "longtext"))
    return is_text and not (expected.has_check or expected.is_generated)


def _column_kinds(expected: ExpectedColumn, column: Column, table: Table) -> Iterator[FindingKind]:
    if expected.takes_null and not column.is_nullable:
        yield FindingKind.COLUMN_NOT_NULL
    if column.is_generated and not expected.is_generated:
        yield FindingKind.COLUMN_GENERATED
    elif column.is_always_identity:
        yield FindingKind.COLUMN_IDENTITY if expected.is_automatic else FindingKind.COLUMN_GENERATED
    elif not column.is_filled and _lacks_value(expected, column):
        yield FindingKind.COLUMN_DEFAULT
    if expected.is_automatic and column.is_exhausted:
        yield FindingKind.SEQUENCE_EXHAUSTED
    if expected.is_automatic and table.may_insert and not column.may_use_sequence:
        yield FindingKind.SEQUENCE_DENIED


def _lacks_value(expected: ExpectedColumn, column: Column) -> bool:
    if expected.is_generated:
        return not column.is_generated
    return (expected.is_automatic and not column.is_automatic) or (expected.needs_default and not column.has_default)


def _refers_elsewhere(target: TableName, column: str, table: Table, live: LiveSchema) -> bool:
    """Return True if the column has foreign keys, but none of them refers to the expected table."""
    targets = table.references.get(live.fold(column))
    parent = live.tables.get(target)
    # If a view has replaced the table, the key may correctly refer to the table behind the view.
    return targets is not None and parent is not None and parent.is_table and parent.id not in targets


def _unique_findings(name: TableName, expected: ExpectedTable, table: Table, live: LiveSchema) -> Iterator[Finding]:
    if table.uniques is None or not table.is_table:
        return
    for columns in expected.uniques:
        key = frozenset(map(live.fold, columns))
        # A key of a partitioned table must contain the columns that it is partitioned by.
        is_unique = any(key <= unique if table.is_partitioned else key == unique for unique in table.uniques)
        if not is_unique and key <= table.columns.keys():
            kind = FindingKind.UNIQUE_PREFIX if key in table.prefix_uniques else FindingKind.UNIQUE_MISSING
            yield Finding(kind, name, f"({', '.join(sorted(columns))})")
