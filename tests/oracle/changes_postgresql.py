"""The changes to a database of PostgreSQL.

A seed draws from them by position: another order makes other changes of the same seed.
"""

from __future__ import annotations

from tests.oracle import changes_postgresql_columns as columns
from tests.oracle import changes_postgresql_tables as tables
from tests.oracle.changes import Maker

MAKERS: list[Maker] = [
    *[columns.column_type] * 6,
    *[columns.column_type_of_an_empty_table] * 3,
    *[columns.column_again] * 2,
    *[
        columns.drop_column,
        columns.rename_column,
        columns.add_column,
        columns.nulls,
        columns.nulls,
        columns.default,
        columns.default,
        columns.generated,
        columns.collation,
        columns.domain,
        columns.enum,
    ],
    *[columns.harmless_change] * 3,
    *[
        columns.identity,
        columns.identity,
        columns.counter,
        columns.counter,
        columns.sequence,
        columns.sequence,
        tables.drop_constraint,
        tables.drop_constraint,
        tables.invalid_index,
    ],
    *[
        tables.another_unique_index,
        tables.another_unique_index,
        tables.more_unique,
        tables.add_check,
        tables.foreign_key,
        tables.drop_table,
        tables.table_again,
    ],
    *[
        tables.view,
        tables.view,
        tables.partitioned,
        tables.inherited,
        tables.rights,
        tables.rights,
        tables.rights_of_a_schema,
        tables.policies,
        tables.policies,
    ],
    *[tables.trigger, tables.filled_by_a_trigger, tables.rule],
]
