"""Changes to a database of SQLite. Most of them create the table again with another definition."""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Iterator

from django.db.models import ForeignKey

from tests.oracle.changes import EMPTY, Change, Maker, ModelColumn

TYPES = [
    *("integer", "int", "bigint", "smallint", "INTEGER", "real", "text", "varchar(5)", "varchar(40)", "blob", "bool"),
    *("decimal", "datetime", "date", "time", "char(32)", "numeric", "", "BOOLEAN", "double precision", "uuid", "json"),
]


def statements_of(raw: sqlite3.Connection, change: Change) -> Iterator[str]:
    """Yield the SQL of ``change``. The SQL of a new definition depends on the current definition."""
    for statement in change.statements:
        if statement.startswith("REDEFINE "):
            _, table, action, *further = statement.split(" ", 3)
            yield from _redefined(raw, table, action, further[0] if further else "")
        else:
            yield statement


def _redefined(raw: sqlite3.Connection, table: str, action: str, argument: str) -> Iterator[str]:
    (sql,) = raw.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", [table]).fetchone()
    indexes = raw.execute(
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL", [table]
    ).fetchall()
    _, rest = sql.split("(", 1)
    body, tail = rest.rsplit(")", 1)
    parts = list(_parts(body))
    column, _, argument = argument.partition(" ")
    edited, tail = _edited(parts, tail, action, column, argument)
    if edited is None:
        raise sqlite3.OperationalError("nothing to change")
    yield "PRAGMA foreign_keys = off"
    yield "PRAGMA legacy_alter_table = on"
    yield f'CREATE TABLE "oracle_new" ({", ".join(edited)}){tail}'
    names = {name.lower() for (name,) in raw.execute(f"SELECT name FROM pragma_table_info('{table}')")}
    kept = [
        f'"{name}"'
        for (name, hidden) in raw.execute("SELECT name, hidden FROM pragma_table_xinfo('oracle_new')")
        if name.lower() in names and not hidden
    ]
    if kept:
        yield f'INSERT INTO "oracle_new" ({", ".join(kept)}) SELECT {", ".join(kept)} FROM "{table}"'
    yield f'DROP TABLE "{table}"'
    yield f'ALTER TABLE "oracle_new" RENAME TO "{table}"'
    if action != "unindexed":
        for (index,) in indexes:
            yield index


def _parts(body: str) -> Iterator[str]:
    """Yield the parts of a definition between its commas, except for commas in parentheses and quotes."""
    depth, quote, start = 0, "", 0
    for position, letter in enumerate(body):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "()":
            depth += 1 if letter == "(" else -1
        elif letter == "," and not depth:
            yield body[start:position].strip()
            start = position + 1
    yield body[start:].strip()


def _edited(parts: list[str], tail: str, action: str, column: str, argument: str) -> tuple[list[str] | None, str]:
    for index, part in enumerate(parts):
        if not part.startswith(f'"{column}" '):
            continue
        new = _edited_column(part, action, column, argument)
        if action == "drop":
            return parts[:index] + parts[index + 1 :], tail
        if action in ("add", "table"):
            break
        return ([*parts[:index], new, *parts[index + 1 :]], tail) if new != part else (None, tail)
    if action == "add":
        return [*parts[:1], argument, *parts[1:]], tail
    if action == "table":
        return parts, f"{tail} {argument}"
    if action == "unindexed":
        return parts, tail
    return None, tail


def _edited_column(part: str, action: str, column: str, argument: str) -> str:
    replaced = {
        "type": (
            rf'^"{column}" (?:varchar\(\d+\)|char\(\d+\)|integer unsigned|bigint unsigned|\w+)',
            f'"{column}" {argument}',
        ),
        "null": (r" NOT NULL", ""),
        "not_null": (r" NULL", " NOT NULL") if " NOT NULL" not in part else ("^$", ""),
        "default": (r"( NOT NULL| NULL|$)", rf" {argument}\1"),
        "no_default": (r" DEFAULT (?:'[^']*'|\S+)", ""),
        "no_unique": (r" UNIQUE", ""),
        "no_key": (r" PRIMARY KEY(?: AUTOINCREMENT)?", ""),
        "no_counter": (r" AUTOINCREMENT", ""),
        "no_reference": (r" REFERENCES .*$", ""),
        "reference": (r' REFERENCES "[^"]+"', f" REFERENCES {argument}"),
        "no_check": (r" CHECK \(.*\)$", ""),
        "suffix": (r"$", f" {argument}"),
        "plain": (r" GENERATED ALWAYS AS .*$", ""),
        "rename": (rf'^"{column}"', f'"{argument}"'),
    }
    if action not in replaced:
        return part
    pattern, text = replaced[action]
    return re.sub(pattern, text, part, count=1)


def _redefine(target: ModelColumn, action: str, argument: str = "") -> str:
    """Return a statement for :func:`statements_of` that changes the definition of a column."""
    return f"REDEFINE {target.table} {action} {target.column} {argument}".rstrip()


def column_type(rng: random.Random, target: ModelColumn) -> list[str]:
    return [_redefine(target, "type", rng.choice(TYPES))]


def nulls(rng: random.Random, target: ModelColumn) -> list[str]:
    return [EMPTY, _redefine(target, rng.choice(["null", "not_null", "not_null"]))]


def default(rng: random.Random, target: ModelColumn) -> list[str]:
    action = rng.choice(["no_default", "default"])
    return [_redefine(target, action, rng.choice(["DEFAULT 7", "DEFAULT 'x'", "DEFAULT NULL"]))]


def key(rng: random.Random, target: ModelColumn) -> list[str]:
    return [_redefine(target, rng.choice(["no_key", "no_counter"]))]


def unique(rng: random.Random, target: ModelColumn) -> list[str]:
    return [_redefine(target, "no_unique")]


def references(rng: random.Random, target: ModelColumn) -> list[str]:
    if not isinstance(target.field, ForeignKey):
        return []
    table = target.field.related_model._meta.db_table
    return [
        rng.choice(
            [
                _redefine(target, "no_reference"),
                _redefine(target, "reference", f'"{table.upper()}"'),
                _redefine(target, "reference", '"gone"'),
                _redefine(target, "reference", '"oracle_code"'),
            ]
        )
    ]


def checks(rng: random.Random, target: ModelColumn) -> list[str]:
    return [
        EMPTY,
        rng.choice(
            [
                _redefine(target, "no_check"),
                _redefine(target, "suffix", "CHECK (1)"),
                _redefine(target, "suffix", "CHECK (0)"),
                _redefine(target, "suffix", f'CHECK (length("{target.column}") < 6)'),
            ]
        ),
    ]


def collation(rng: random.Random, target: ModelColumn) -> list[str]:
    return [_redefine(target, "suffix", f"COLLATE {rng.choice(['NOCASE', 'RTRIM', 'BINARY'])}")]


def drop_column(rng: random.Random, target: ModelColumn) -> list[str]:
    return [_redefine(target, rng.choice(["drop", "drop", "rename other"]))]


def rename_column(rng: random.Random, target: ModelColumn) -> list[str]:
    return [_redefine(target, "rename", rng.choice(["other", target.column.upper()]))]


def add_column(rng: random.Random, target: ModelColumn) -> list[str]:
    definition = rng.choice(
        [
            *('"later" text', '"later" text NOT NULL', '"later" int NOT NULL DEFAULT 3', '"later" text NULL UNIQUE'),
            *(
                '"later" AS (1)',
                '"later" int CHECK ("later" > 0)',
                '"later" datetime NOT NULL DEFAULT CURRENT_TIMESTAMP',
            ),
        ]
    )
    return [EMPTY, f"REDEFINE {target.table} add {target.column} {definition}"]


def generated(rng: random.Random, target: ModelColumn) -> list[str]:
    if target.field.generated:
        return [EMPTY, _redefine(target, "plain")]
    return [_redefine(target, "suffix", rng.choice(["GENERATED ALWAYS AS (1)", "AS ('x') STORED"]))]


def table_options(rng: random.Random, target: ModelColumn) -> list[str]:
    return [f"REDEFINE {target.table} table - {rng.choice(['WITHOUT ROWID', 'STRICT'])}"]


def unindexed(rng: random.Random, target: ModelColumn) -> list[str]:
    """Create the table again without its indexes, as many tools do."""
    return [f"REDEFINE {target.table} unindexed -"]


def more_unique(rng: random.Random, target: ModelColumn) -> list[str]:
    return [EMPTY, f'CREATE UNIQUE INDEX extra ON {target.table} ("{target.column}")']


def partial_unique(rng: random.Random, target: ModelColumn) -> list[str]:
    if not target.field.unique:
        return []
    where = rng.choice(["", "WHERE 1", f'WHERE "{target.column}" IS NOT NULL', f'WHERE "{target.column}" = 5'])
    return [
        _redefine(target, "no_unique"),
        f'CREATE UNIQUE INDEX u ON {target.table} ("{target.column}") {where}'.strip(),
    ]


def tables(rng: random.Random, target: ModelColumn) -> list[str]:
    return rng.choice(
        [
            ["PRAGMA foreign_keys = off", f"DROP TABLE {target.table}"],
            [f"ALTER TABLE {target.table} RENAME TO gone"],
            ["PRAGMA legacy_alter_table = on", f"ALTER TABLE {target.table} RENAME TO gone"],
            [EMPTY],
            ["CREATE TABLE somebody_elses (x int NOT NULL)"],
            [f"CREATE VIEW somebody_elses AS SELECT * FROM {target.table}"],
            [f'CREATE INDEX extra ON {target.table} ("{target.column}")'],
        ]
    )


def view(rng: random.Random, target: ModelColumn) -> list[str]:
    query = rng.choice(["SELECT * FROM gone", "SELECT DISTINCT * FROM gone"])
    names = [field.column for field in target.model._meta.local_concrete_fields if field.column and not field.generated]
    listed, values = (", ".join(f'{prefix}"{name}"' for name in names) for prefix in ("", "NEW."))
    insert = f"INSERT INTO gone ({listed}) SELECT {values}"
    trigger = f"CREATE TRIGGER store INSTEAD OF INSERT ON {target.table} BEGIN {insert}; END"
    return [
        "PRAGMA legacy_alter_table = on",
        f"ALTER TABLE {target.table} RENAME TO gone",
        f"CREATE VIEW {target.table} AS {query}",
        *[trigger] * (rng.random() < 0.1),
    ]


def trigger(rng: random.Random, target: ModelColumn) -> list[str]:
    body = rng.choice(["SELECT 1", "SELECT RAISE(ABORT, 'no')", "SELECT RAISE(IGNORE)"])
    when = rng.choice(["BEFORE INSERT", "BEFORE UPDATE", "AFTER INSERT", "BEFORE DELETE"])
    return [f"CREATE TRIGGER act {when} ON {target.table} BEGIN {body}; END"]


MAKERS: list[Maker] = [
    *[column_type] * 4,
    *[nulls, nulls, default, key, key, unique, unique, references, references, checks, collation, drop_column],
    *[
        rename_column,
        add_column,
        generated,
        table_options,
        unindexed,
        more_unique,
        partial_unique,
        tables,
        view,
        trigger,
    ],
]
