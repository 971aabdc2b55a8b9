"""The roles and other objects that changes to a database of PostgreSQL refer to, and the names of tables in SQL."""

from __future__ import annotations

import os

from tests.oracle.changes import ModelColumn

# Roles belong to the whole server, which another run may use at the same time.
ROLE, OTHER_ROLE = f"oracle_app_{os.getpid()}", f"oracle_other_{os.getpid()}"

SETUP = [
    f"DROP ROLE IF EXISTS {ROLE}; CREATE ROLE {ROLE}",
    f"DROP ROLE IF EXISTS {OTHER_ROLE}; CREATE ROLE {OTHER_ROLE}",
    "CREATE SCHEMA elsewhere",
    f"GRANT USAGE ON SCHEMA public, elsewhere TO {ROLE}; GRANT CREATE ON SCHEMA public TO {ROLE}",
]
"""The statements that create the roles and a second schema."""

ICU = [
    "CREATE COLLATION oracle_loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    "CREATE COLLATION oracle_exact (provider = icu, locale = 'und')",
]
"""The statements that create collations, on a server that is built with ICU."""

GRANTS = [
    f"GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public TO {ROLE}",
    f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {ROLE}",
]
"""The statements that give the role its rights, to be run after the tables were created."""


def quoted(name: str) -> str:
    """Return ``name`` as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def quoted_names(target: ModelColumn) -> tuple[str, str]:
    """Return the table and the column as quoted identifiers."""
    return quoted(target.table), quoted(target.column)


def drop_constraints(target: ModelColumn, kinds: str) -> str:
    """Return the statement that drops the constraints of these kinds, as ``contype`` spells them."""
    return (
        "DO $$ DECLARE one record; BEGIN FOR one IN SELECT conname FROM pg_constraint"
        f" WHERE conrelid = '{quoted(target.table)}'::regclass AND contype IN ({kinds}) LOOP"
        f" EXECUTE 'ALTER TABLE {quoted(target.table)} DROP CONSTRAINT ' || quote_ident(one.conname) || ' CASCADE';"
        " END LOOP; END $$"
    )
