"""The services that this machine may run in addition to the tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

POSTGRESQL = "postgresql://postgres@127.0.0.1:5432/postgres"
"""The URL of the machine's PostgreSQL. Its version differs from the wheel's, and it is built with ICU."""


@contextlib.contextmanager
def mariadb_database(name: str) -> Iterator[str]:
    """Yield the URL of a new database with this name, and drop the database at the end."""
    import pymysql

    # Django requires a version of mysqlclient. PyMySQL replaces mysqlclient, so it reports that version.
    pymysql.version_info = (2, 2, 4, "final", 0)
    pymysql.install_as_MySQLdb()
    connection = pymysql.connect(host="127.0.0.1", user="root")
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"CREATE DATABASE {name}")
    yield f"mysql://root@127.0.0.1:3306/{name}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name}")
    connection.close()
