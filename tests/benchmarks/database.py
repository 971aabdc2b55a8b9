"""The project's database, on a real PostgreSQL, and how many statements reach it, as the server's log tells."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator

from example_project.postgres import Postgres, postgres

_NAME = "healthguard_bench"
# A server that pg_ctl has started writes where its -l option says: the wheel's into this file.
_LOG = "coalesce(pg_current_logfile(), 'log')"
_STATEMENT = re.compile(r"LOG:  (statement|execute [^:]+): ")


@contextlib.contextmanager
def database() -> Iterator[None]:
    """A fresh database, named by DATABASE_URL for as long as the block lasts."""
    with postgres() as server:
        os.environ["DATABASE_URL"] = server.create(_NAME)
        try:
            yield
        finally:
            server.drop(_NAME)


@contextlib.contextmanager
def statements() -> Iterator[Callable[[], int]]:
    """A function that tells how many statements the database's sessions have sent since the block began.

    Only sessions that begin inside count. Logging them costs time: nothing is timed meanwhile.
    """
    server = Postgres(os.environ["DATABASE_URL"])
    server.execute(f"ALTER DATABASE {_NAME} SET log_statement = 'all'")
    begin = _size(server)
    try:
        yield lambda: len(_STATEMENT.findall(_log(server, begin)))
    finally:
        server.execute(f"ALTER DATABASE {_NAME} RESET log_statement")


def _size(server: Postgres) -> int:
    return int(str(_ask(server, f"SELECT size FROM pg_stat_file({_LOG})")))


def _log(server: Postgres, begin: int) -> str:
    length = _size(server) - begin
    return str(_ask(server, f"SELECT pg_read_file({_LOG}, {begin}, {length})"))


def _ask(server: Postgres, statement: str) -> object:
    # In another database: in this one the question would be counted too.
    return server.execute(statement, database="postgres")[0][0]
