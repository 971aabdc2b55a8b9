"""How many statements reach the database, as its server's log tells."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

from example_project.postgres import Postgres

# A server that pg_ctl has started writes where its -l option says: the wheel's into this file.
_LOG = "coalesce(pg_current_logfile(), 'log')"
_STATEMENT = re.compile(r"LOG:  (statement|execute [^:]+): ")


@contextlib.contextmanager
def counted(postgres: Postgres, database: str) -> Iterator[Callable[[], int]]:
    """A function that tells how many statements the sessions of ``database`` have sent since the block began.

    Only sessions that begin inside count. Logging them costs time: nothing is timed meanwhile.
    """
    postgres.execute(f"ALTER DATABASE {database} SET log_statement = 'all'")
    begin = _size(postgres)
    try:
        yield lambda: len(_STATEMENT.findall(_log(postgres, begin)))
    finally:
        postgres.execute(f"ALTER DATABASE {database} RESET log_statement")


def _size(postgres: Postgres) -> int:
    return int(str(postgres.execute(f"SELECT size FROM pg_stat_file({_LOG})")[0][0]))


def _log(postgres: Postgres, begin: int) -> str:
    length = _size(postgres) - begin
    return str(postgres.execute(f"SELECT pg_read_file({_LOG}, {begin}, {length})")[0][0])
