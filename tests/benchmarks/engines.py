"""Empty databases of several engines."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

from example_project.postgres import Postgres

Engine: TypeAlias = Callable[[], AbstractContextManager[str]]
"""A context manager that yields the URL of an empty database, which exists for the duration of the block."""

_NAME = "healthguard_bench_engine"
_MARIADB = ("127.0.0.1", 3306)


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """Yield the URL of a database on the PostgreSQL of the benchmarks."""
    server = Postgres(os.environ["DATABASE_URL"])
    url = server.create(_NAME)
    try:
        yield url
    finally:
        server.drop(_NAME)


@contextlib.contextmanager
def sqlite() -> Iterator[str]:
    """Yield the URL of a SQLite file."""
    with tempfile.TemporaryDirectory(prefix="healthguard-bench-") as folder:
        yield f"sqlite:///{Path(folder) / 'bench.sqlite3'}"


@contextlib.contextmanager
def mariadb() -> Iterator[str]:
    """Yield the URL of a database on the MariaDB of this machine."""
    import pymysql

    host, port = _MARIADB
    with pymysql.connect(host=host, port=port, user="root") as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {_NAME}")
        cursor.execute(f"CREATE DATABASE {_NAME}")
        try:
            yield f"mysql://root@{host}:{port}/{_NAME}"
        finally:
            cursor.execute(f"DROP DATABASE {_NAME}")


def engines() -> dict[str, Engine]:
    """Return the engines that can be measured here. MariaDB is one of them if a server listens on its port."""
    available: dict[str, Engine] = {"PostgreSQL": postgresql, "SQLite": sqlite}
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(_MARIADB) == 0:
            available["MariaDB"] = mariadb
    return available
