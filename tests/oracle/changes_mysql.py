"""Changes to a database of MariaDB: each function makes one kind of change."""

from __future__ import annotations

import os
import random

from django.db.models import ForeignKey

from tests.oracle.changes import EMPTY, Maker, ModelColumn

# Users belong to the whole server, which another run may use at the same time.
USER = f"oracle_app_{os.getpid()}"
TYPES = [
    *("tinyint", "smallint", "mediumint", "int", "bigint", "int unsigned", "bigint unsigned", "decimal(10,2)"),
    *("decimal(12,4)", "decimal(9,1)", "float", "double", "bool", "varchar(5)", "varchar(30)", "varchar(40)"),
    *("varchar(100)", "char(10)", "char(32)", "char(36)", "text", "mediumtext", "longtext", "tinytext", "blob"),
    *("longblob", "varbinary(100)", "binary(16)", "json", "uuid", "inet6", "date", "datetime", "datetime(6)"),
    *("datetime(3)", "timestamp", "timestamp(6)", "time", "time(6)", "year", "bit(1)", "enum('usual','new')"),
    *("set('usual','new')", "point", "longtext character set utf8mb3", "varchar(40) character set latin1"),
    *("varchar(60) character set ascii", "varchar(60) collate utf8mb4_bin", "longtext collate utf8mb4_unicode_ci"),
    *("varchar(60) collate utf8mb4_nopad_bin", "varchar(100) collate utf8mb4_general_ci"),
]
_NULLS = ["", " NOT NULL", " NULL"]
_DEFAULTS = ["", "", "", " DEFAULT 7", " DEFAULT 'x'", " DEFAULT NULL", " DEFAULT (1 + 1)"]


def column_type(rng: random.Random, target: ModelColumn) -> list[str]:
    type_, nulls = rng.choice(TYPES), " NULL" if target.field.null else " NOT NULL"
    return [f"ALTER TABLE {target.table} MODIFY `{target.column}` {type_}{nulls}"]


def column_definition(rng: random.Random, target: ModelColumn) -> list[str]:
    type_ = _type(target)
    if type_ is None:
        return []
    definition = f"{type_}{rng.choice(_NULLS)}{rng.choice(_DEFAULTS)}"
    extra = rng.choice(["", "", "", " INVISIBLE", " AUTO_INCREMENT", " COMMENT 'x'", " CHECK (1)", " COMPRESSED"])
    return [EMPTY, f"ALTER TABLE {target.table} MODIFY `{target.column}` {definition}{extra}"]


def _type(target: ModelColumn) -> str | None:
    from django.db import connections

    for connection in connections.all():
        if connection.vendor == "mysql":
            return target.field.db_type(connection)
    return None


def column_again(rng: random.Random, target: ModelColumn) -> list[str]:
    type_ = rng.choice([*TYPES, f"{_type(target)}"])
    return [
        EMPTY,
        f"ALTER TABLE {target.table} DROP COLUMN `{target.column}`",
        f"ALTER TABLE {target.table} ADD `{target.column}` {type_}{rng.choice(_NULLS)}{rng.choice(_DEFAULTS)}",
    ]


def charset(rng: random.Random, target: ModelColumn) -> list[str]:
    to = rng.choice(
        ["utf8mb3", "latin1", "ascii", "utf8mb4", "utf8mb4 COLLATE utf8mb4_bin", "utf8mb4 COLLATE utf8mb4_unicode_ci"]
    )
    return [f"ALTER TABLE {target.table} CONVERT TO CHARACTER SET {to}"]


def default(rng: random.Random, target: ModelColumn) -> list[str]:
    action = rng.choice(["DROP DEFAULT", "SET DEFAULT 7", "SET DEFAULT 'x'", "SET DEFAULT NULL"])
    return [f"ALTER TABLE {target.table} ALTER `{target.column}` {action}"]


def drop_column(rng: random.Random, target: ModelColumn) -> list[str]:
    return [f"ALTER TABLE {target.table} DROP COLUMN `{target.column}`"]


def rename_column(rng: random.Random, target: ModelColumn) -> list[str]:
    name = rng.choice(["other", target.column.upper()])
    return [f"ALTER TABLE {target.table} RENAME COLUMN `{target.column}` TO `{name}`"]


def add_column(rng: random.Random, target: ModelColumn) -> list[str]:
    definition = rng.choice(
        [
            *("text", "int", "text NOT NULL", "int NOT NULL", "int NOT NULL DEFAULT 3", "int UNIQUE", "int AS (1)"),
            *("int AS (1) STORED", "timestamp", "datetime NOT NULL", "timestamp NOT NULL DEFAULT current_timestamp"),
            *(
                "int NOT NULL INVISIBLE",
                "int NOT NULL DEFAULT 3 INVISIBLE",
                "enum('a','b') NOT NULL",
                "int CHECK (later > 0)",
            ),
            *("json", "uuid NOT NULL", "uuid NOT NULL DEFAULT uuid()"),
        ]
    )
    return [EMPTY, f"ALTER TABLE {target.table} ADD later {definition}"]


def generated(rng: random.Random, target: ModelColumn) -> list[str]:
    if target.field.generated and rng.random() < 0.6:
        return [f"ALTER TABLE {target.table} MODIFY `{target.column}` varchar(40){rng.choice(_NULLS)}"]
    how = rng.choice(
        ["int AS (1) STORED", "int AS (1) VIRTUAL", "varchar(40) AS ('x') STORED", "bigint AS (5) VIRTUAL"]
    )
    return [
        EMPTY,
        f"ALTER TABLE {target.table} DROP COLUMN `{target.column}`",
        f"ALTER TABLE {target.table} ADD `{target.column}` {how}",
    ]


def counter(rng: random.Random, target: ModelColumn) -> list[str]:
    if target.field.get_internal_type() not in {"BigAutoField", "SmallAutoField", "AutoField"}:
        return []
    return [
        rng.choice(
            [
                f"ALTER TABLE {target.table} MODIFY `{target.column}` bigint NOT NULL",
                f"ALTER TABLE {target.table} MODIFY `{target.column}` bigint NOT NULL DEFAULT 0",
                f"ALTER TABLE {target.table} MODIFY `{target.column}` int NOT NULL AUTO_INCREMENT",
                f"ALTER TABLE {target.table} MODIFY `{target.column}` tinyint NOT NULL AUTO_INCREMENT",
                f"ALTER TABLE {target.table} MODIFY `{target.column}` bigint unsigned NOT NULL AUTO_INCREMENT",
                f"ALTER TABLE {target.table} AUTO_INCREMENT = 100",
                f"ALTER TABLE {target.table} AUTO_INCREMENT = 32767",
                f"ALTER TABLE {target.table} AUTO_INCREMENT = 9223372036854775807",
                f"ALTER TABLE {target.table} AUTO_INCREMENT = 9223372036854770000",
            ]
        )
    ]


def primary_key(rng: random.Random, target: ModelColumn) -> list[str]:
    return [f"ALTER TABLE {target.table} DROP PRIMARY KEY{rng.choice(['', f', ADD KEY (`{target.column}`)'])}"]


def drop_unique(rng: random.Random, target: ModelColumn) -> list[str]:
    """Drop a unique constraint, or replace it by another index."""
    if not target.field.unique or target.field.primary_key:
        return []
    further = rng.choice(
        [
            *("", f", ADD UNIQUE other (`{target.column}`)", f", ADD KEY other (`{target.column}`)"),
            *(f", ADD UNIQUE other (`{target.column}`(3))", f", ADD UNIQUE other (`{target.column}`) IGNORED"),
            f", ADD UNIQUE other (`{target.column}` DESC)",
        ]
    )
    return [f"ALTER TABLE {target.table} DROP INDEX `{target.column}`{further}"]


def more_unique(rng: random.Random, target: ModelColumn) -> list[str]:
    return [EMPTY, f"ALTER TABLE {target.table} ADD UNIQUE extra (`{target.column}`)"]


def foreign_key(rng: random.Random, target: ModelColumn) -> list[str]:
    """Add a foreign key in addition to that of the model."""
    if not isinstance(target.field, ForeignKey):
        return []
    referenced, key = target.field.related_model._meta.db_table, target.field.target_field.column
    how = rng.choice(["", " ON DELETE CASCADE", " ON DELETE SET NULL"])
    if rng.random() < 0.4:
        return [
            f"ALTER TABLE {target.table} ADD FOREIGN KEY (`{target.column}`) REFERENCES {referenced} (`{key}`){how}"
        ]
    return [
        f"CREATE TABLE copy LIKE {referenced}",
        EMPTY,
        f"ALTER TABLE {target.table} ADD FOREIGN KEY (`{target.column}`) REFERENCES copy (`{key}`){how}",
    ]


def checks(rng: random.Random, target: ModelColumn) -> list[str]:
    rule = rng.choice([f"length(`{target.column}`) >= 0", f"length(`{target.column}`) < 6", "1", "1 = 2"])
    return [EMPTY, f"ALTER TABLE {target.table} ADD CHECK ({rule})"]


def tables(rng: random.Random, target: ModelColumn) -> list[str]:
    return rng.choice(
        [
            [f"DROP TABLE {target.table}"],
            [f"RENAME TABLE {target.table} TO gone"],
            [f"RENAME TABLE {target.table} TO gone", f"CREATE TABLE {target.table} LIKE gone"],
            [f"RENAME TABLE {target.table} TO gone", f"CREATE TABLE {target.table} AS SELECT * FROM gone"],
            [f"RENAME TABLE {target.table} TO {target.table.upper()}"],
        ]
    )


def view(rng: random.Random, target: ModelColumn) -> list[str]:
    query = rng.choice(
        [
            *(
                "SELECT * FROM gone",
                "SELECT DISTINCT * FROM gone",
                "SELECT * FROM gone UNION ALL SELECT * FROM gone LIMIT 1",
            ),
            f"SELECT * FROM gone WHERE `{target.column}` IS NOT NULL",
        ]
    )
    return [f"RENAME TABLE {target.table} TO gone", f"CREATE VIEW {target.table} AS {query}"]


def harmless_change(rng: random.Random, target: ModelColumn) -> list[str]:
    return [
        rng.choice(
            [
                f"ALTER TABLE {target.table} COMMENT = 'x'",
                f"CREATE INDEX extra ON {target.table} (`{target.column}`)",
                f"ALTER TABLE {target.table} ROW_FORMAT = COMPRESSED",
                f"ALTER TABLE {target.table} ENGINE = InnoDB",
                EMPTY,
                "CREATE TABLE somebody_elses (x int NOT NULL)",
                f"CREATE VIEW somebody_elses AS SELECT * FROM {target.table}",
                f"ALTER TABLE {target.table} ADD later int, ALGORITHM = INSTANT",
                f"ALTER TABLE {target.table} ADD SYSTEM VERSIONING",
            ]
        )
    ]


def trigger(rng: random.Random, target: ModelColumn) -> list[str]:
    body = rng.choice(["SET @x = 1", "SIGNAL SQLSTATE '45000'", f"SET NEW.`{target.column}` = NEW.`{target.column}`"])
    when = rng.choice(["BEFORE INSERT", "BEFORE UPDATE", "AFTER INSERT"])
    return [f"CREATE TRIGGER act {when} ON {target.table} FOR EACH ROW {body}"]


def filled_by_a_trigger(rng: random.Random, target: ModelColumn) -> list[str]:
    return [
        EMPTY,
        f"ALTER TABLE {target.table} ADD later text NOT NULL",
        f"CREATE TRIGGER act BEFORE INSERT ON {target.table} FOR EACH ROW SET NEW.later = 'x'",
    ]


def rights(rng: random.Random, target: ModelColumn) -> list[str]:
    right = rng.choice(["SELECT", "INSERT", "UPDATE", "DELETE"])
    return [f"REVOKE {right} ON {{name}}.{target.table} FROM {USER}@'127.0.0.1'"]


MAKERS: list[Maker] = [
    *[column_type] * 6,
    *[column_definition] * 3,
    *[column_again, column_again, charset, default, default, drop_column, rename_column, add_column, add_column],
    *[generated, generated, counter, counter, primary_key, drop_unique, drop_unique, more_unique, foreign_key, checks],
    *[tables, view, view, harmless_change, harmless_change, trigger, filled_by_a_trigger, rights, rights],
]
