"""Connection parameters that limit how long a database driver waits.

Drivers that are not listed here get no limits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MIN_CONNECT_SECONDS = 2
"""The shortest connect timeout (seconds). psycopg rounds shorter timeouts up to this value."""
_LIBPQ_WITH_TCP_USER_TIMEOUT = 120000
"""The first version of libpq with the parameter ``tcp_user_timeout``: 12.0."""

LIBPQ_DRIVERS = frozenset({"psycopg", "psycopg2"})
SQLITE_DRIVERS = frozenset({"sqlite3", "sqlite3.dbapi2"})
_MYSQL_CONNECTOR = "mysql.connector"
_MYSQLDB_DRIVERS = frozenset({"MySQLdb", "pymysql"})
MYSQL_DRIVERS = _MYSQLDB_DRIVERS | {_MYSQL_CONNECTOR}


def driver_of(engine: object) -> str:
    """Return the name of the driver module of a database engine; an empty string if it has none."""
    return str(getattr(getattr(engine, "Database", None), "__name__", ""))


def bounded(driver: str, params: Mapping[str, Any], limit: float) -> dict[str, Any]:
    """Return a driver's connection parameters with limits added. A shorter timeout in ``params`` is kept.

    Args:
        driver: the name of the driver's module. The parameters of an unknown driver are returned unchanged.
        params: the keyword arguments of the driver's connect function.
        limit: the maximum time to connect, and to wait for a response of the server (seconds).
    """
    # Round down, because a failure has to be reported before the run exceeds its timeout.
    seconds = max(_MIN_CONNECT_SECONDS, math.floor(limit))
    if driver in LIBPQ_DRIVERS:
        return _bounded_libpq(driver, params, seconds)
    if driver in _MYSQLDB_DRIVERS:
        return {**params, **_at_most(seconds, params, "connect_timeout", "read_timeout", "write_timeout")}
    if driver == _MYSQL_CONNECTOR:
        return _bounded_mysql_connector(params, seconds)
    if driver in SQLITE_DRIVERS:
        timeout = min(limit, float(params.get("timeout") or limit))
        return {**params, "timeout": timeout, "database": _existing_file(params["database"])}
    return dict(params)


def _bounded_libpq(driver: str, params: Mapping[str, Any], seconds: int) -> dict[str, Any]:
    # libpq handles these parameters itself. A startup option would be sent to the server, which PgBouncer
    # rejects or keeps.
    keepalives = {"keepalives_idle": seconds, "keepalives_interval": 1, "keepalives_count": 3}
    if _libpq_version(driver) >= _LIBPQ_WITH_TCP_USER_TIMEOUT:
        keepalives["tcp_user_timeout"] = seconds * 1000
    return {**keepalives, **params, **_at_most(seconds, params, "connect_timeout")}


def _libpq_version(driver: str) -> int:
    if driver == "psycopg":
        from psycopg import pq

        return pq.version()
    from psycopg2.extensions import libpq_version

    return int(libpq_version())


def _bounded_mysql_connector(params: Mapping[str, Any], seconds: int) -> dict[str, Any]:
    from mysql.connector.constants import CNX_POOL_ARGS, DEFAULT_CONFIGURATION

    without_pool = {name: value for name, value in params.items() if name not in CNX_POOL_ARGS}
    # "connect_timeout" is the older name of the same parameter. The driver ignores it if both are present.
    if "connect_timeout" in without_pool:
        without_pool.setdefault("connection_timeout", without_pool.pop("connect_timeout"))
    # "read_timeout" and "write_timeout" exist since version 9.2.
    names = {"connection_timeout", "read_timeout", "write_timeout"} & set(DEFAULT_CONFIGURATION)
    return {**without_pool, **_at_most(seconds, without_pool, *names)}


def _at_most(seconds: int, params: Mapping[str, Any], *names: str) -> dict[str, int]:
    return {name: min(seconds, _positive(params.get(name)) or seconds) for name in names}


def _positive(value: object) -> int | None:
    try:
        number = int(float(str(value)))
    except ValueError:
        return None
    return number if number > 0 else None


def _existing_file(name: object) -> object:
    """Return a SQLite database name with which connecting does not create a missing file."""
    text = str(name)
    if not text or text == ":memory:" or text.startswith("file:"):
        return name
    return f"{Path(text).absolute().as_uri()}?mode=rw"
