"""The database of the benchmarks, on a real PostgreSQL, and the number of statements in the log of its server."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator

from example_project.postgres import Postgres, postgres

_NAME = "healthguard_bench"
# A server started by pg_ctl writes to the file of its -l option. For the server of the wheel, this is "log".
_LOG = "coalesce(pg_current_logfile(), 'log')"
_STATEMENT = re.compile(r"LOG:  (statement|execute [^:]+): ")


@contextlib.contextmanager
def database() -> Iterator[None]:
    """Create a database and set DATABASE_URL to it for the duration of the block."""
    with postgres() as server:
        os.environ["DATABASE_URL"] = server.create(_NAME)
        try:
            yield
        finally:
            server.drop(_NAME)


@contextlib.contextmanager
def statements() -> Iterator[Callable[[], int]]:
    """Yield a function that returns the number of statements sent to the database since the block began.

    Only sessions that begin inside the block count. Logging takes time, so nothing may be timed inside the block.
    """
    server = Postgres(os.environ["DATABASE_URL"])
    server.execute(f"ALTER DATABASE {_NAME} SET log_statement = 'all'")
    begin = _size(server)
    try:
        yield lambda: len(_STATEMENT.findall(_log(server, begin)))
    finally:
        server.execute(f"ALTER DATABASE {_NAME} RESET log_statement")


def _size(server: Postgres) -> int:
    return int(str(_query(server, f"SELECT size FROM pg_stat_file({_LOG})")))


def _log(server: Postgres, begin: int) -> str:
    length = _size(server) - begin
    return str(_query(server, f"SELECT pg_read_file({_LOG}, {begin}, {length})"))


def _query(server: Postgres, statement: str) -> object:
    # In another database, because a query in this one would be counted.
    return server.execute(statement, database="postgres")[0][0]
