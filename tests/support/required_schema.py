"""The tables that the tests of RequiredTables and RequiredColumns declare."""

from __future__ import annotations

from example_project.postgres import Postgres

TABLES = ["api_keys", "customers", "analytics_events", "fun_with_flags_toggles"]
_CUSTOMERS = """
CREATE TABLE customers (
    id bigserial PRIMARY KEY, admin_level varchar(20), metadata jsonb, is_staff boolean, monthly_limit integer,
    price numeric(10, 2), whole numeric(10), tags varchar(20)[], seen timestamp(3) with time zone, plain timestamp,
    letter char, "Mixed Case" text, ref uuid, email email_address, shout loud,
    small float(1), large float(53), lasts interval second(3), period interval year to month)
"""
_DOMAINS = (
    "CREATE DOMAIN email_address AS varchar(254); CREATE DOMAIN loud AS email_address CHECK (VALUE = upper(VALUE));"
)


def create_tables(postgres: Postgres, database: str) -> None:
    """Create TABLES on PostgreSQL. ``customers`` has columns of many types."""
    others = [f"CREATE TABLE {table} (id integer);" for table in set(TABLES) - {"customers"}]
    postgres.execute("".join([*others, _DOMAINS, _CUSTOMERS]), database)
