"""Asking a database: one bounded query at a time, and what its driver's errors mean.

Drivers put names, addresses and sometimes whole connection strings into the texts of their errors: these are read here,
and never shown.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, Error, InterfaceError, OperationalError, connections, transaction
from django.utils.connection import ConnectionDoesNotExist

from healthguard.deadline import wait_limit
from healthguard.declared import shown, shown_name
from healthguard.exceptions import Unhealthy
from healthguard.own_connections import is_own
from healthguard.status import Evidence, Fault, Problem

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

DEFAULT_LIMIT = 5.0
"""How long a query may take where no deadline is set (seconds): django-health-check's own timeout."""

_MAX_TEXT = 2000
"""The part of a driver's text that is read (characters)."""

_Row = tuple[Any, ...]


@contextlib.contextmanager
def database(alias: str) -> Iterator[BaseDatabaseWrapper]:
    """The calling thread's connection to ``alias``, for a check.

    Outside a run, as in django-health-check's view, a connection that the check opens is closed at the end.

    Raises:
        Unhealthy: no such alias, its engine cannot be loaded; or in place of any ``django.db.Error`` inside.
    """
    connection = _connection(alias)
    is_lent = connection.connection is not None or is_own(connection)
    if not is_lent and connection.vendor == "sqlite" and _is_missing_file(connection.settings_dict["NAME"]):
        # To connect would create it.
        raise Unhealthy.of(_problem(_MISSING, alias, {"alias": alias}))
    try:
        yield connection
    except Error as error:
        raise Unhealthy.of(problem_of(error, alias)) from None
    except ImproperlyConfigured:
        raise _no_engine(alias, "no database is configured under it") from None
    finally:
        if not is_lent:
            connection.close()


def _connection(alias: str) -> BaseDatabaseWrapper:
    try:
        return connections[alias]
    except ConnectionDoesNotExist:
        raise Unhealthy(
            "unknown_alias",
            f"{shown(alias)} is not an alias of the DATABASES setting.",
            fault=Fault.CONFIG,
            hint="Name an alias of the DATABASES setting.",
            evidence={"alias": shown_name(alias), "known": sorted(connections)},
        ) from None
    except Exception as error:
        raise _no_engine(alias, f"its engine cannot be loaded ({type(error).__name__})") from None


def _is_missing_file(name: object) -> bool:
    text = str(name)
    return bool(text) and text != ":memory:" and not text.startswith("file:") and not os.path.exists(text)


def _no_engine(alias: str, reason: str) -> Unhealthy:
    return Unhealthy(
        "database_engine",
        f"Database {alias!r} cannot be used: {reason}.",
        fault=Fault.CONFIG,
        hint=f"Look at DATABASES[{alias!r}]: is the variable it is made from set, and the driver of its ENGINE "
        "installed?",
        evidence={"alias": alias},
    )


def fetch(connection: BaseDatabaseWrapper, sql: str, params: Sequence[Any] | None = None) -> list[_Row]:
    """The rows of one query that is bounded in time and leaves nothing behind on the server.

    Inside the caller's transaction (a test's) it runs in a savepoint and without a limit, which would outlive it.

    Raises:
        django.db.Error: as the driver says it; :func:`problem_of` reads it.
    """
    if connection.in_atomic_block:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(sql, params)
            return list(cursor.fetchall())
    if connection.vendor == "postgresql" and connection.settings_dict["OPTIONS"].get("server_side_binding"):
        # Where the server binds the parameters, a message holds one statement. A run's own connection has it off.
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(_limited(connection, "", wait_limit(DEFAULT_LIMIT)))
            cursor.execute(sql, params)
            return list(cursor.fetchall())
    with connection.cursor() as cursor:
        cursor.execute(_limited(connection, sql, wait_limit(DEFAULT_LIMIT)), params)
        # The answer to SET LOCAL comes first where the driver tells one result after another.
        while cursor.description is None and cursor.nextset():
            pass
        return list(cursor.fetchall())


def _limited(connection: BaseDatabaseWrapper, sql: str, limit: float) -> str:
    """``sql`` with a time limit that holds for it alone.

    On PostgreSQL both go in one message, which is one transaction: a plain SET would leak to the next client behind
    PgBouncer, and a start-up option would be refused by it.
    """
    milliseconds = max(1, math.ceil(limit * 1000))
    if connection.vendor == "postgresql":
        return f"SET LOCAL statement_timeout = {milliseconds}; {sql}"
    if connection.vendor == "mysql":
        # Either takes the other's limit for a comment; to ask which of them it is would be a query of its own.
        hinted = re.sub(r"^\s*SELECT\b", f"SELECT /*+ MAX_EXECUTION_TIME({milliseconds}) */", sql, count=1)
        return f"/*M! SET STATEMENT max_statement_time={milliseconds / 1000} FOR */ {hinted}"
    return sql


@dataclasses.dataclass(frozen=True, slots=True)
class _Meaning:
    """What some errors mean.

    Args:
        code: the problem's code.
        fault: the problem's fault.
        message: a clause that goes on from "Database 'default' …".
        hint: the remedy.
        sqlstates: the SQLSTATEs or their classes (two characters).
        numbers: MySQL's and MariaDB's error numbers.
        text: what the driver's text says where it gives no number, as psycopg for what happens while connecting.
    """

    code: str
    fault: Fault
    message: str
    hint: str
    sqlstates: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    text: str = ""


_FAILED = _Meaning(
    "database_error",
    Fault.CONFIG,
    "refuses the check's query",
    "Look at the server's log: it names the statement and the reason. A table or a column that it needs may be "
    "missing.",
    sqlstates=("42P01", "42703"),
    numbers=(1054, 1064, 1146),
    text=r"^no such (table|column|function)",
)
_MISSING = _Meaning(
    "database_missing",
    Fault.CONFIG,
    "does not exist on its server",
    "Look at the name in DATABASE_URL or DATABASES: the server answers, but has no database of that name.",
    sqlstates=("3D000",),
    numbers=(1049,),
    text=r'database ".*" does not exist|unable to open database file',
)
_MEANINGS = (
    _FAILED,
    _MISSING,
    _Meaning(
        "database_credentials",
        Fault.CONFIG,
        "refuses the user or the password",
        "Look at the user and the password in DATABASE_URL or DATABASES, and at the Secret they are mounted from.",
        sqlstates=("28",),
        numbers=(1044, 1045, 1698),
        text=r"password authentication failed|no password supplied|role \".*\" does not exist|no pg_hba.conf entry"
        r"|Access denied for user|permission denied for database|is not permitted to log in",
    ),
    _Meaning(
        "database_permission",
        Fault.CONFIG,
        "does not let its user read what the check asks for",
        "Grant the user SELECT on the tables, and USAGE on their schema.",
        sqlstates=("42501",),
        numbers=(1142, 1143),
    ),
    _Meaning(
        "database_full",
        Fault.OUTAGE,
        "accepts no more connections",
        "Look for what holds the connections (pg_stat_activity, SHOW PROCESSLIST); add a pooler or raise the limit.",
        sqlstates=("53300",),
        numbers=(1040, 1203, 1226),
        text=r"too many (clients|connections)|remaining connection slots are reserved",
    ),
    _Meaning(
        "database_timeout",
        Fault.OUTAGE,
        "took too long to answer",
        "Look for a lock, for load, and for what else the server is doing.",
        sqlstates=("57014",),
        numbers=(1969, 3024, 1205),
        text=r"timeout expired|timed out|database is locked|connection timeout",
    ),
)
_UNREACHABLE = _Meaning(
    "database_unreachable",
    Fault.OUTAGE,
    "cannot be reached",
    "Look whether the server runs and whether the host and port in DATABASE_URL or DATABASES lead to it from here.",
)


def problem_of(error: BaseException, alias: str) -> Problem:
    """What ``error``, a ``django.db.Error``, means for the database ``alias``; without any of the driver's text."""
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    state = sqlstate_of(error)
    number = next((arg for arg in cause.args[:1] if isinstance(arg, int)), None)
    meaning = _meaning(
        state, number, str(cause)[:_MAX_TEXT], is_connection=isinstance(error, OperationalError | InterfaceError)
    )
    evidence: dict[str, Any] = {"alias": alias, "error": type(cause).__name__}
    if state is not None:
        evidence["sqlstate"] = state
    if number is not None:
        evidence["number"] = number
    return _problem(meaning, alias, evidence)


def _problem(meaning: _Meaning, alias: str, evidence: Mapping[str, Evidence]) -> Problem:
    return Problem(meaning.code, meaning.fault, f"Database {alias!r} {meaning.message}.", meaning.hint, evidence)


def _meaning(state: str | None, number: int | None, text: str, *, is_connection: bool) -> _Meaning:
    for meaning in _MEANINGS:
        if state is not None and state.startswith(meaning.sqlstates or ("-",)):
            return meaning
        if number is not None and number in meaning.numbers:
            return meaning
        if state is None and meaning.text and re.search(meaning.text, text, re.IGNORECASE):
            return meaning
    return _UNREACHABLE if is_connection else _FAILED


def sqlstate_of(error: BaseException) -> str | None:
    """The SQLSTATE that the driver gives for ``error``, a ``django.db.Error``; None where it gives none."""
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return None if state is None else str(state)


def is_missing_table(error: DatabaseError) -> bool:
    """Whether ``error`` says that a table of the query does not exist."""
    cause = error.__cause__ or error
    return sqlstate_of(error) == "42P01" or cause.args[:1] == (1146,) or str(cause).startswith("no such table")
