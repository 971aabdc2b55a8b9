"""The root causes of the outage, each as it is found in a deployment of the example project."""

from __future__ import annotations

import dataclasses

TABLES = ("api_keys", "customers", "analytics_events", "fun_with_flags_toggles")


@dataclasses.dataclass(frozen=True, eq=False)
class Cause:
    """A root cause.

    Args:
        title: its description.
        codes: the codes of the problems by which it is recognized.
        environment: the broken environment variables; None for one that is not set.
        statement: the SQL statement that breaks the database.
        is_elsewhere: True if DATABASE_URL names a database of another project, with the same tables.
    """

    title: str
    codes: frozenset[str]
    environment: dict[str, str | None] = dataclasses.field(default_factory=dict)
    statement: str = ""
    is_elsewhere: bool = False


def _of_keys(title: str, code: str, **environment: str | None) -> Cause:
    return Cause(title, frozenset({code}), environment)


def _of_database(title: str, code: str, statement: str) -> Cause:
    return Cause(title, frozenset({code}), statement=statement)


CAUSES = (
    Cause("an AI key is not mounted", frozenset({"key_missing", "variable_missing"}), {"ANTHROPIC_API_KEY": None}),
    _of_keys("an AI key is a mock", "key_placeholder", ANTHROPIC_API_KEY="mock-anthropic-key"),
    Cause(
        "customers are vended a mock, because the key is empty",
        frozenset({"key_placeholder", "key_empty"}),
        {"OPENAI_API_KEY": ""},
    ),
    *(_of_database(f"table `{table}` is missing", "table_missing", f"DROP TABLE {table} CASCADE") for table in TABLES),
    _of_database("a column is missing", "column_missing", "ALTER TABLE customers DROP COLUMN metadata"),
    _of_database("a column has another type", "column_type", "ALTER TABLE customers ALTER monthly_limit TYPE varchar"),
    _of_keys("`SECRET_KEY` is empty", "secret_key_empty", SECRET_KEY=""),
    _of_keys(
        "`SECRET_KEY` is too short",
        "secret_key_too_short",
        SECRET_KEY="Vq3zN8rT5wXb7Yc2KdLm9Pf4Gh6Js1Au0Ei-Ro_Tz8Wn5Qk3Mb7Vx",
    ),
    Cause("`DATABASE_URL` names another database", frozenset({"wrong_database"}), is_elsewhere=True),
    _of_database(
        "a migration is not applied", "migrations_pending", "DELETE FROM django_migrations WHERE app = 'vending'"
    ),
)
