"""Database servers for the tests of errors: PostgreSQL with TLS, PgBouncer and MariaDB.

The tests start the machine's programs, because the PostgreSQL of the wheel does not support TLS.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import trustme

from example_project.ports import free_port
from tests.support.sites import PATIENCE

USER, PASSWORD, DATABASE = "app", "c4uses-pass", "shop"
PGBOUNCER = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)), None)
MARIADB = shutil.which("mariadbd", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
MARIADB_INSTALL = shutil.which("mariadb-install-db")

_ADMIN_ACCESS = "host all postgres 127.0.0.1/32 trust\n"
PASSWORDS = "host all all 127.0.0.1/32 scram-sha-256\n"


def _rights() -> dict[str, Any]:
    """Return the options of Popen for a server that refuses to run as root."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


class Folder:
    """A folder that a server of another user may enter, with a certificate for ``localhost`` and its authority."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="healthguard-")
        self.path = Path(self._folder.name)
        self.path.chmod(0o755)
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost")
        self.authority = self._write("authority.pem", authority.cert_pem.bytes())
        self.stranger = self._write("stranger.pem", trustme.CA().cert_pem.bytes())
        self.nonsense = self._write("nonsense.pem", b"no certificate")
        self.key = self._write("key.pem", certificate.private_key_pem.bytes(), 0o600)
        self.certificate = self._write("server.pem", b"".join(pem.bytes() for pem in certificate.cert_chain_pems))

    def _write(self, name: str, content: bytes, mode: int = 0o644) -> Path:
        path = self.path / name
        path.write_bytes(content)
        path.chmod(mode)
        self.give(path)
        return path

    def give(self, path: Path) -> None:
        """Make the user of the server the owner of ``path``."""
        if os.geteuid() == 0:
            shutil.chown(path, "nobody", "nogroup")

    def make(self, name: str) -> Path:
        """Create a folder for the server's data and return its path."""
        path = self.path / name
        path.mkdir(mode=0o700)
        self.give(path)
        return path

    def remove(self) -> None:
        """Remove the folder."""
        self._folder.cleanup()


class Server:
    """A process of a database server."""

    def __init__(
        self, command: list[object], log: Path, environment: dict[str, str] | None = None, **rights: Any
    ) -> None:
        self._log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
                **rights,
            )

    def wait_for(self, connect: Callable[[], object]) -> None:
        """Wait until ``connect`` raises no exception."""
        ends = time.monotonic() + PATIENCE
        while True:
            try:
                connect()
            except Exception:
                assert self.process.poll() is None, self._log.read_text()
                assert time.monotonic() < ends, self._log.read_text()
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Stop the process; kill it if it does not end within a minute."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(60)


class TLSPostgres:
    """A PostgreSQL that offers TLS.

    Args:
        language: the language of the server's messages; empty for English.
    """

    def __init__(self, language: str = "") -> None:
        self.folder = Folder()
        self.data = self.folder.make("data")
        self.port = free_port()
        # With a locale other than C, gettext reads the language from this variable; its own locale is not needed.
        environment = {"LC_ALL": "C.UTF-8", "LANGUAGE": language}
        folder = Path(str(POSTGRES)).parent
        subprocess.run(
            [folder / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **environment},
            **_rights(),
        )
        self._access(PASSWORDS)
        options = {
            "fsync": "off",
            "max_connections": 12,
            "ssl": "on",
            "ssl_key_file": self.folder.key,
            "ssl_cert_file": self.folder.certificate,
            "ssl_ca_file": self.folder.authority,
        }
        command: list[object] = [POSTGRES, "-D", self.data, "-h", "127.0.0.1", "-p", self.port, "-k", ""]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        self._server = Server(command, self.folder.path / "log", environment, **_rights())
        self._server.wait_for(lambda: self.execute("SELECT 1"))
        self.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
        self.execute(f"CREATE DATABASE {DATABASE} OWNER {USER}")

    def execute(self, *statements: str) -> None:
        """Run statements as the superuser."""
        url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def _access(self, rules: str) -> None:
        (self.data / "pg_hba.conf").write_text(_ADMIN_ACCESS + rules)

    @contextlib.contextmanager
    def access(self, rules: str) -> Iterator[None]:
        """Accept only the clients that ``rules`` allow, in the format of pg_hba.conf."""
        self._reload(rules)
        try:
            yield
        finally:
            self._reload(PASSWORDS)

    def _reload(self, rules: str) -> None:
        self._access(rules)
        url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        with psycopg.connect(url, autocommit=True) as connection:
            before = connection.execute("SELECT pg_conf_load_time()").fetchone()
            connection.execute("SELECT pg_reload_conf()")
            ends = time.monotonic() + PATIENCE
            # The postmaster applies the new rules before it notifies this session, whose load time then changes.
            while connection.execute("SELECT pg_conf_load_time()").fetchone() == before:
                assert time.monotonic() < ends
                time.sleep(0.02)

    def remove(self) -> None:
        """Stop the server and remove its folder."""
        self._server.stop()
        self.folder.remove()


class Bouncer:
    """A PgBouncer in front of the PostgreSQL on ``port``.

    Its databases are ``web-pool``, which is the database ``shop``; ``closed``, which is disabled; and ``gone``, which
    does not exist on the server.
    """

    def __init__(self, port: int) -> None:
        self.folder = Folder()
        self.port = free_port()
        users, configuration = self.folder.path / "users", self.folder.path / "pgbouncer.ini"
        users.write_text(f'"{USER}" "{PASSWORD}"\n"admin" "{PASSWORD}"\n')
        configuration.write_text(
            f"[databases]\n"
            f"web-pool = host=127.0.0.1 port={port} dbname={DATABASE}\n"
            f"closed = host=127.0.0.1 port={port} dbname={DATABASE}\n"
            f"gone = host=127.0.0.1 port={port} dbname=no_such_database\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = plain\nauth_file = {users}\nadmin_users = admin\nmax_client_conn = 3\n"
            f"server_login_retry = 1\n"
        )
        rights = ["--user", "nobody"] if os.geteuid() == 0 else []
        self._server = Server([PGBOUNCER, "-q", *rights, configuration], self.folder.path / "log")
        self._server.wait_for(lambda: self.console("SHOW VERSION"))
        self.console("DISABLE closed")

    def console(self, command: str) -> None:
        """Run a command on the admin console."""
        address = f"host=127.0.0.1 port={self.port} dbname=pgbouncer user=admin password={PASSWORD}"
        with psycopg.connect(address, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
            connection.execute(command)

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """Use all connections that PgBouncer accepts."""
        address = f"host=127.0.0.1 port={self.port} dbname=web-pool user={USER} password={PASSWORD}"
        with contextlib.ExitStack() as taken:
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    taken.enter_context(psycopg.connect(address))
            yield

    def remove(self) -> None:
        """Stop the server and remove its folder."""
        self._server.stop()
        self.folder.remove()


class MariaDB:
    """A MariaDB that offers TLS and ignores the case of the names of tables and databases."""

    def __init__(self) -> None:
        self.folder = Folder()
        data = self.folder.make("data")
        self.port = free_port()
        user = ["--user=nobody"] if os.geteuid() == 0 else []
        subprocess.run(
            [
                str(MARIADB_INSTALL),
                *("--no-defaults", f"--datadir={data}", "--skip-test-db"),
                *("--auth-root-authentication-method=normal", *user),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        command: list[object] = [
            MARIADB,
            "--no-defaults",
            f"--datadir={data}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
        ]
        command += [f"--socket={data}/socket", f"--pid-file={data}/pid", "--innodb-buffer-pool-size=8M", *user]
        command += ["--max-connections=10", "--lower-case-table-names=1", "--skip-name-resolve"]
        command += [f"--ssl-ca={self.folder.authority}", f"--ssl-key={self.folder.key}"]
        command += [f"--ssl-cert={self.folder.certificate}"]
        self._server = Server(command, self.folder.path / "log")
        self._server.wait_for(lambda: self.execute("SELECT 1"))
        self.execute(
            "CREATE DATABASE Shop_Prod",
            f"CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}'",
            f"GRANT ALL ON shop_prod.* TO {USER}@'%'",
        )

    def execute(self, *statements: str) -> None:
        """Run statements as root."""
        connection = pymysql.connect(host="127.0.0.1", port=self.port, user="root", autocommit=True)
        with contextlib.closing(connection), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def remove(self) -> None:
        """Stop the server and remove its folder."""
        self._server.stop()
        self.folder.remove()


@contextlib.contextmanager
def speaking(greeting: bytes, *, waits: bool = False) -> Iterator[int]:
    """Yield the port of a server that sends ``greeting`` and closes the connection.

    With ``waits``, the server reads from the client first.
    """
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                if waits:
                    client.recv(1000)
                client.sendall(greeting)
                client.shutdown(socket.SHUT_WR)
                # If it closed with unread data, the connection would be reset before the client reads the greeting.
                client.settimeout(5)
                while client.recv(1000):
                    pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)
