"""A PostgreSQL server that a test can stop, freeze and fill. It listens on TCP and requires a password."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg

from example_project.ports import free_port
from example_project.postgres import Installed

USER, PASSWORD, DATABASE = "app", "f4ults-pass", "shop"
MAX_CONNECTIONS = 60
_ACCESS = "host all,replication postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


class Cluster:
    """A PostgreSQL server from the wheel, with a database for the application."""

    def __init__(self) -> None:
        # Not in a folder of pytest, which only its owner may enter: as root, the server runs as another user.
        self._folder = tempfile.TemporaryDirectory(prefix="healthguard-pg-")
        self._installed = Installed(Path(self._folder.name))
        self._data = self._installed.initialize("data")
        (self._data / "pg_hba.conf").write_text(_ACCESS)
        self.port = free_port()
        self.start()
        self.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
        self.execute(f"CREATE DATABASE {DATABASE} OWNER {USER}")

    @property
    def url(self) -> str:
        """The URL of the application's database, for the application's user."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{DATABASE}"

    def start(self) -> None:
        """Start the server."""
        self._start(self._data, self.port)

    @contextlib.contextmanager
    def standby(self) -> Iterator[str]:
        """Run a standby of this server, and yield the URL of the application's database there."""
        data, port = self._data.parent / "standby", free_port()
        data.mkdir(mode=0o700)
        owner = self._data.stat()
        os.chown(data, owner.st_uid, owner.st_gid)
        source = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres")
        options = ("-D", str(data), "--write-recovery-conf", "--checkpoint=fast", *source)
        self._installed.run("pg_basebackup", *options)
        self._start(data, port)
        try:
            yield self.url.replace(f":{self.port}/", f":{port}/")
        finally:
            self._installed.stop(data)

    def _start(self, data: Path, port: int) -> None:
        options = f"-h 127.0.0.1 -p {port} -k '' -c fsync=off -c max_connections={MAX_CONNECTIONS}"
        self._installed.start(data, options)

    def stop(self) -> None:
        """Stop the server at once, even if clients are connected."""
        self._installed.stop(self._data)

    def remove(self) -> None:
        """Stop the server and delete its data."""
        self.stop()
        self._folder.cleanup()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Suspend all processes of the server. The kernel still accepts connections for them."""
        postmaster = psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))
        processes = [postmaster]
        try:
            # First, because it starts the others.
            postmaster.suspend()
            processes += postmaster.children(recursive=True)
            for process in processes:
                # The process of a connection that was closed may end at any moment.
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.suspend()
            yield
        finally:
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    @contextlib.contextmanager
    def session(self, database: str = DATABASE) -> Iterator[psycopg.Connection]:
        """Connect as the superuser, for whom PostgreSQL reserves connections."""
        url = f"postgresql://postgres@127.0.0.1:{self.port}/{database}"
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run a statement as the superuser, and return its rows; an empty list if it returns none."""
        with self.session(database) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def connections(self) -> int:
        """Return the number of connections of the application's user, as the server counts them."""
        ((count,),) = self.execute(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{USER}'")
        return int(str(count))
