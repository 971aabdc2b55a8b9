"""Time limits of the server for the statements of a run.

The timeout of a driver, or an abort, ends only the wait for the response. The server would continue to run the
statement.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from django.db import Error

from healthguard.database.driver_limits import LIBPQ_DRIVERS, MYSQL_DRIVERS
from healthguard.database.errors import sqlstate_of

_NOT_IN_TRANSACTION = ("25001", "2D000")
"""The SQLSTATEs of statements that cannot be executed in a transaction: ``VACUUM``, and procedures that commit."""
_IDLE = 0
"""The transaction status of libpq outside of a transaction."""


def limit_statements(driver: str, connection: Any, limit: float) -> str:
    """Make the server abort every statement of ``connection`` that takes longer than ``limit`` seconds.

    This applies to PostgreSQL, MySQL and MariaDB. An error of the server or a proxy is ignored, because the connection
    works without the limit.

    Args:
        driver: the name of the driver's module.
        connection: a connection of the driver on which no statement has been executed yet.
        limit: the limit (seconds).

    Returns:
        The SQL to add before the first statement of each transaction; usually an empty string.

    Raises:
        Exception: the driver's exception, if the connection is lost.
    """
    if driver in LIBPQ_DRIVERS:
        return _limit_postgresql_statements(connection, limit)
    if driver in MYSQL_DRIVERS:
        _limit_mysql_statements(connection, limit)
    return ""


def _limit_postgresql_statements(connection: Any, limit: float) -> str:
    """Set ``statement_timeout``, unless the session has a shorter one. Leave no setting behind a pooler.

    A pooler like PgBouncer gives the session to another client after each transaction. It sends a number of its own as
    the process id of the server. Then the two ids differ, and the setting ends with this statement.
    """
    milliseconds = max(1, math.floor(limit * 1000))
    try:
        # In a transaction, a rollback would remove the setting. Django sets autocommit itself after connecting.
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT is_pooled, set_config('statement_timeout', %s, is_pooled) "
                "FROM (SELECT pg_backend_pid() <> %s AS is_pooled) AS session "
                "WHERE 1000 * extract(epoch FROM current_setting('statement_timeout')::interval) NOT BETWEEN 1 AND %s",
                (str(milliseconds), connection.info.backend_pid, milliseconds),
            )
            row = cursor.fetchone()
    except Exception:
        if connection.closed:
            raise
        return ""
    return f"SET LOCAL statement_timeout = {milliseconds}; " if row and row[0] else ""


def limit_transaction(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Limit the statements of a transaction that ``sql`` begins, with the SQL that ``limit_statements`` returned.

    Both are sent in one message, which is one transaction even with autocommit. This is an execute wrapper of Django,
    for a ``RunConnection``.
    """
    connection, cursor = context["connection"], context["cursor"].cursor
    is_limited = (
        connection.transaction_prefix
        and not many
        and isinstance(sql, str)
        and _accepts_two_statements(cursor)
        and connection.connection.info.transaction_status == _IDLE
    )
    if not is_limited:
        return execute(sql, params, many, context)
    try:
        response = execute(connection.transaction_prefix + sql, params, many, context)
    except Error as error:
        if sqlstate_of(error) not in _NOT_IN_TRANSACTION:
            raise
        return execute(sql, params, many, context)
    if not _is_psycopg2(cursor):
        # psycopg2 returns only the result of the last statement.
        cursor.nextset()
    return response


def _accepts_two_statements(cursor: Any) -> bool:
    """Return True if ``cursor`` can send two statements in one message."""
    if _is_psycopg2(cursor):
        return cursor.name is None
    from psycopg import ClientCursor

    return isinstance(cursor, ClientCursor)


def _is_psycopg2(cursor: Any) -> bool:
    return any(base.__module__.startswith("psycopg2") for base in type(cursor).__mro__)


def _limit_mysql_statements(connection: Any, limit: float) -> None:
    """Set ``max_statement_time`` of MariaDB, or ``max_execution_time`` of MySQL."""
    mariadb = f"SET SESSION max_statement_time = {max(limit, 0.001):.3f}"
    mysql = f"SET SESSION max_execution_time = {max(1, math.ceil(limit * 1000))}"
    # The handshake contains the version, so no query is needed. A server may hide whether it is MySQL or MariaDB.
    version = str(getattr(connection, "server_info", "") or connection.get_server_info())
    for statement in (mariadb, mysql) if "mariadb" in version.lower() else (mysql, mariadb):
        cursor = connection.cursor()
        try:
            cursor.execute(statement)
        except Exception as error:
            # An old server does not have the variable, and a proxy may reject it.
            if not _is_rejected(error):
                raise
        else:
            return
        finally:
            cursor.close()


def _is_rejected(error: Exception) -> bool:
    """Return True if the server or a proxy responded with an error; False if the connection is lost."""
    number = error.args[0] if error.args else None
    # The numbers 2000 to 2999 are errors of the client.
    return isinstance(number, int) and (1000 <= number < 2000 or number >= 3000)
