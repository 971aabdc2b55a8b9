"""Changes to the tables of a database of PostgreSQL, their constraints, rights and triggers.

Each function makes one kind of change.
"""

from __future__ import annotations

import random

from django.db.models import ForeignKey

from tests.oracle.changes import EMPTY, ModelColumn
from tests.oracle.postgresql_objects import OTHER_ROLE, ROLE, drop_constraints, quoted, quoted_names

_STORE = (
    "CREATE FUNCTION store() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
    " $$ BEGIN INSERT INTO gone SELECT NEW.*; RETURN NEW; END $$"
)
"""The function that stores the rows that are added to a view."""


# ---- constraints


def drop_constraint(rng: random.Random, target: ModelColumn) -> list[str]:
    return [drop_constraints(target, rng.choice(["'f'", "'u'", "'p'", "'c'", "'u', 'p'"]))]


def invalid_index(rng: random.Random, target: ModelColumn) -> list[str]:
    """Mark the unique indexes as invalid, as CREATE INDEX CONCURRENTLY does when it fails."""
    uniques = f"indisunique AND NOT indisprimary AND indrelid = '{quoted(target.table)}'::regclass"
    return [f"UPDATE pg_index SET indisvalid = false WHERE {uniques}"]


def another_unique_index(rng: random.Random, target: ModelColumn) -> list[str]:
    """Replace the unique constraint by another unique index."""
    if not target.field.unique or target.field.primary_key:
        return []
    table, column = quoted_names(target)
    index = rng.choice(
        [
            f"({column})",
            f"({column} DESC)",
            f"({column}) WHERE {column} IS NOT NULL",
            f"({column}) INCLUDE (ctid)",
            f"(lower({column}::text))",
            f"({column}) WHERE false",
            f"({column}, tableoid)",
        ]
    )
    return [drop_constraints(target, "'u'"), f"CREATE UNIQUE INDEX u ON {table} {index}"]


def more_unique(rng: random.Random, target: ModelColumn) -> list[str]:
    table, column = quoted_names(target)
    return [EMPTY, f"CREATE UNIQUE INDEX extra ON {table} ({column})"]


def add_check(rng: random.Random, target: ModelColumn) -> list[str]:
    table, column = quoted_names(target)
    rule = rng.choice([f"{column} IS NOT NULL OR true", f"length({column}::text) >= 0", f"{column} IS NOT NULL"])
    rule = rng.choice([rule, rule, f"length({column}::text) < 6", "false"])
    return [EMPTY, f"ALTER TABLE {table} ADD CHECK ({rule})"]


def foreign_key(rng: random.Random, target: ModelColumn) -> list[str]:
    """Replace the foreign key by another one, to the same table or to a copy of it."""
    if not isinstance(target.field, ForeignKey):
        return []
    table, column = quoted_names(target)
    referenced = quoted(target.field.related_model._meta.db_table)
    how = rng.choice(["", " NOT VALID", " ON DELETE CASCADE", " DEFERRABLE INITIALLY DEFERRED", " ON DELETE SET NULL"])
    drop = drop_constraints(target, "'f'")
    if rng.random() < 0.5:
        return [drop, f"ALTER TABLE {table} ADD FOREIGN KEY ({column}) REFERENCES {referenced}{how}"]
    return [
        drop,
        EMPTY,
        f"CREATE TABLE copy (LIKE {referenced} INCLUDING ALL)",
        f"ALTER TABLE {table} ADD FOREIGN KEY ({column}) REFERENCES copy{how}",
    ]


# ---- tables and their replacements


def drop_table(rng: random.Random, target: ModelColumn) -> list[str]:
    table, _ = quoted_names(target)
    return [
        rng.choice(
            [
                f"DROP TABLE {table} CASCADE",
                f"ALTER TABLE {table} RENAME TO gone",
                f"ALTER TABLE {table} SET SCHEMA elsewhere",
            ]
        )
    ]


def table_again(rng: random.Random, target: ModelColumn) -> list[str]:
    """Replace the table by one that is like it in some respects."""
    table, _ = quoted_names(target)
    including = rng.choice(["", "INCLUDING ALL", "INCLUDING DEFAULTS", "INCLUDING INDEXES", "INCLUDING IDENTITY"])
    return [
        f"ALTER TABLE {table} RENAME TO gone",
        f"CREATE TABLE {table} (LIKE gone {including})",
        rng.choice([f"GRANT ALL ON {table} TO {ROLE}", "SELECT 1"]),
    ]


def view(rng: random.Random, target: ModelColumn) -> list[str]:
    table, column = quoted_names(target)
    kind, query = rng.choice(
        [
            ("VIEW", "SELECT * FROM gone"),
            ("VIEW", "SELECT * FROM gone WHERE true"),
            ("VIEW", f"SELECT * FROM gone WHERE {column} IS NOT NULL"),
            ("VIEW", "SELECT DISTINCT * FROM gone"),
            ("VIEW", "SELECT * FROM gone UNION ALL SELECT * FROM gone WHERE false"),
            ("MATERIALIZED VIEW", "SELECT * FROM gone"),
        ]
    )
    further = rng.choice(
        [
            [],
            [f"CREATE RULE nothing AS ON INSERT TO {table} DO INSTEAD NOTHING"],
            [
                _STORE,
                f"CREATE TRIGGER store INSTEAD OF INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION store()",
            ],
        ]
    )
    return [
        f"ALTER TABLE {table} RENAME TO gone",
        f"CREATE {kind} {table} AS {query}",
        f"GRANT ALL ON {table} TO {ROLE}",
        *further,
    ]


def partitioned(rng: random.Random, target: ModelColumn) -> list[str]:
    table, column = quoted_names(target)
    part = rng.choice(["", "DEFAULT", "FOR VALUES FROM (MINVALUE) TO (MAXVALUE)"])
    return [
        f"ALTER TABLE {table} RENAME TO gone",
        f"CREATE TABLE {table} (LIKE gone INCLUDING DEFAULTS INCLUDING GENERATED) PARTITION BY RANGE ({column})",
        *([f"CREATE TABLE part PARTITION OF {table} {part}"] if part else []),
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE}",
    ]


def inherited(rng: random.Random, target: ModelColumn) -> list[str]:
    table, _ = quoted_names(target)
    return [f"CREATE TABLE child () INHERITS ({table})"]


# ---- rights


def rights(rng: random.Random, target: ModelColumn) -> list[str]:
    table, column = quoted_names(target)
    right = rng.choice(["SELECT", "INSERT", "UPDATE", "DELETE", "ALL", "TRUNCATE", "REFERENCES", "TRIGGER"])
    granted = rng.choice(
        [[], [], [f"GRANT {rng.choice(['SELECT', 'INSERT', 'UPDATE'])} ({column}) ON {table} TO {ROLE}"]]
    )
    return [f"REVOKE {right} ON {table} FROM {ROLE}", *granted]


def rights_of_a_schema(rng: random.Random, target: ModelColumn) -> list[str]:
    return [
        rng.choice(
            [
                f"REVOKE USAGE ON SCHEMA public FROM {ROLE}, PUBLIC",
                f"REVOKE CREATE ON SCHEMA public FROM {ROLE}, PUBLIC",
                f"REVOKE INSERT ON ALL TABLES IN SCHEMA public FROM {ROLE}",
                f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {ROLE}",
                "SET LOCAL search_path TO elsewhere",
                "SET LOCAL search_path TO elsewhere, public",
                "SET LOCAL transaction_read_only = on",
            ]
        )
    ]


def policies(rng: random.Random, target: ModelColumn) -> list[str]:
    table, column = quoted_names(target)
    who = rng.choice(["", f" TO {ROLE}", f" TO {OTHER_ROLE}"])
    rule = rng.choice(
        [
            *("", " USING (true)", " USING (true) WITH CHECK (true)", " FOR SELECT USING (true)"),
            *(" FOR INSERT WITH CHECK (true)", " USING (false)", f" USING ({column} IS NOT NULL)"),
        ]
    )
    policy = [f"CREATE POLICY p ON {table}{' AS RESTRICTIVE' * (rng.random() < 0.15)}{_policy(who, rule)}"]
    return [
        *policy * (rng.random() < 0.8),
        *[f"CREATE POLICY q ON {table} FOR INSERT WITH CHECK (true)"] * (rng.random() < 0.3),
        f"ALTER TABLE {table} {rng.choice(['ENABLE', 'ENABLE', 'FORCE'])} ROW LEVEL SECURITY",
    ]


def _policy(who: str, rule: str) -> str:
    command, _, _ = rule.partition(" USING") if " USING" in rule else rule.partition(" WITH")
    return f"{command}{who}{rule[len(command) :]}"


# ---- triggers and rules


def trigger(rng: random.Random, target: ModelColumn) -> list[str]:
    table, column = quoted_names(target)
    body = rng.choice(["RETURN NEW", "RETURN NULL", "RAISE 'no'", f"NEW.{column} = NEW.{column}; RETURN NEW"])
    when = rng.choice(["BEFORE INSERT", "BEFORE UPDATE", "AFTER INSERT", "BEFORE DELETE"])
    return [
        f"CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; END $$",
        f"CREATE TRIGGER act {when} ON {table} FOR EACH ROW EXECUTE FUNCTION act()",
        rng.choice(["SELECT 1", f"ALTER TABLE {table} DISABLE TRIGGER act"]),
    ]


def filled_by_a_trigger(rng: random.Random, target: ModelColumn) -> list[str]:
    table, _ = quoted_names(target)
    return [
        EMPTY,
        f"ALTER TABLE {table} ADD later text NOT NULL",
        "CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.later = 'x'; RETURN NEW; END $$",
        f"CREATE TRIGGER act BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION act()",
        rng.choice(["SELECT 1", "SELECT 1", f"ALTER TABLE {table} DISABLE TRIGGER act"]),
    ]


def rule(rng: random.Random, target: ModelColumn) -> list[str]:
    table, _ = quoted_names(target)
    return [f"CREATE RULE r AS ON {rng.choice(['INSERT', 'UPDATE', 'DELETE'])} TO {table} DO INSTEAD NOTHING"]
