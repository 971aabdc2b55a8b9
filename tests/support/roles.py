"""The roles that tests create on the shared PostgreSQL.

Roles belong to the whole server, which another process may use at the same time.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from example_project.postgres import Postgres

READER, OTHER_ROLE = f"healthguard_reader_{os.getpid()}", f"healthguard_other_{os.getpid()}"

_PASSWORD = "r"


@contextlib.contextmanager
def reader_of(postgres: Postgres, database: str) -> Iterator[str]:
    """Create the role ``READER`` without rights, and drop it afterwards. Yield the URL of ``database`` for it."""
    postgres.execute(f"DROP ROLE IF EXISTS {READER}; CREATE ROLE {READER} LOGIN PASSWORD '{_PASSWORD}'", database)
    try:
        yield postgres.url_as(READER, database, _PASSWORD)
    finally:
        postgres.execute(f"DROP OWNED BY {READER}; DROP ROLE {READER}", database)
