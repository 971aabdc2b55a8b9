"""Queries of checks: one at a time, each with a time limit, and the problems that their errors are reported as.

Drivers put names, addresses and sometimes whole connection strings into the texts of their errors. These texts are only
examined here, never shown.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, DatabaseError, Error, connections, transaction
from django.utils.connection import ConnectionDoesNotExist

from healthguard.database import error_meanings as meanings
from healthguard.database.addresses import address_of, describe_address, is_shown, path_of, settings_of
from healthguard.database.error_meanings import Meaning
from healthguard.database.errors import DriverError, meaning_of, sqlstate_of
from healthguard.database.run_connections import is_run_connection
from healthguard.exceptions import Unhealthy
from healthguard.runtime.deadline import wait_limit
from healthguard.secret_values.showable import nearest, shown, shown_name
from healthguard.status import Code, Evidence, Fault, Problem

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

__all__ = [
    "DEFAULT_LIMIT",
    "database",
    "fetch",
    "fetch_catalog",
    "is_missing_table",
    "problem_of",
    "sqlstate_of",
    "unknown_alias",
]

DEFAULT_LIMIT = 5.0
"""The time limit of a query if no deadline is set (seconds). It is the same as django-health-check's timeout."""

_NO_ENGINE = "django.db.backends.dummy"
# PostgreSQL raises it, for example, with "could not open relation with OID 16384" or "cache lookup failed for attribute
# 2 of relation 16384".
_INTERNAL_ERROR = "XX000"
_CATALOG_RETRIES = 4

_Row = tuple[Any, ...]


@contextlib.contextmanager
def database(alias: str) -> Iterator[BaseDatabaseWrapper]:
    """Yield the calling thread's connection to ``alias``.

    Outside a run, as in django-health-check's view, a connection that the check opens is closed at the end.

    Raises:
        Unhealthy: the alias does not exist, its engine cannot be loaded, or the block raises a ``django.db.Error``.
    """
    connection = _connection(alias)
    is_borrowed = connection.connection is not None or is_run_connection(connection)
    if not is_borrowed and connection.vendor == "sqlite" and _is_missing_file(connection.settings_dict["NAME"]):
        # Connecting would create the file.
        name = str(connection.settings_dict["NAME"])
        raise Unhealthy.of(_problem(_meaning_of_file(name, meanings.MISSING_FILE), alias, {"alias": alias}))
    try:
        _ensure_connection(connection)
        yield connection
    except Error as error:
        raise Unhealthy.of(problem_of(error, alias)) from None
    finally:
        if not is_borrowed:
            connection.close()


def _ensure_connection(connection: BaseDatabaseWrapper) -> None:
    """Connect, and raise ``Unhealthy`` for any exception that is not a ``django.db.Error``.

    All checks then report the same problem for it.
    """
    try:
        connection.ensure_connection()
    except Error:
        raise
    except Exception as error:
        raise Unhealthy.of(problem_of(error, connection.alias)) from None


def _connection(alias: str) -> BaseDatabaseWrapper:
    try:
        return connections[alias]
    except ConnectionDoesNotExist:
        raise unknown_alias(alias) from None
    except Exception as error:
        raise _unusable_engine(alias, f"its engine cannot be loaded ({type(error).__name__})") from None


def unknown_alias(alias: str) -> Unhealthy:
    """Return the problem of an alias that is missing in DATABASES."""
    aliases = sorted(map(str, connections))
    near = nearest(str(alias), aliases)
    suggestion = f"Did you mean {shown(near)}? " if near else ""
    return Unhealthy(
        Code.UNKNOWN_ALIAS,
        f"{shown(alias)} is not an alias in the DATABASES setting.",
        fault=Fault.CONFIG,
        hint=f"{suggestion}Use one of the aliases in DATABASES: {', '.join(map(shown, aliases))}.",
        evidence={"alias": shown_name(str(alias)), "known": [shown_name(name) for name in aliases]},
    )


def _is_missing_file(name: object) -> bool:
    text = str(name)
    return bool(text) and text != ":memory:" and not text.startswith("file:") and not os.path.exists(text)


def _unusable_engine(alias: str, reason: str) -> Unhealthy:
    evidence: dict[str, Evidence] = {"alias": alias}
    hint = (
        f"Check DATABASES[{alias!r}]: the environment variable that it is read from must be set, and the driver of its "
        "ENGINE must be installed."
    )
    url = os.environ.get("DATABASE_URL")
    if alias == DEFAULT_DB_ALIAS and url is not None and not url.strip():
        evidence["DATABASE_URL"] = "empty"
        reason += ", and the environment variable DATABASE_URL is empty"
        hint = (
            "Set DATABASE_URL. Check the Secret it is mounted from: Kubernetes allows empty values, so nothing else "
            "warns you."
        )
    return Unhealthy(
        Code.DATABASE_ENGINE,
        f"Database {alias!r} cannot be used: {reason}.",
        fault=Fault.CONFIG,
        hint=hint,
        evidence=evidence,
    )


def fetch(connection: BaseDatabaseWrapper, sql: str, params: Sequence[Any] | None = None) -> list[_Row]:
    """Return the rows of one query, which has a time limit and leaves no session setting behind on the server.

    Inside a transaction of the caller, as in a test, the query runs in a savepoint and without a time limit, because
    the limit would stay in effect after the query.

    Raises:
        django.db.Error: the error of the driver. Pass it to :func:`problem_of`.
    """
    if connection.in_atomic_block:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(sql, params)
            return list(cursor.fetchall())
    if connection.vendor == "postgresql" and connection.settings_dict["OPTIONS"].get("server_side_binding"):
        # With server-side binding, a message can hold only one statement. Connections of a run have it turned off.
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(_with_time_limit(connection, "", wait_limit(DEFAULT_LIMIT)))
            cursor.execute(sql, params)
            return list(cursor.fetchall())
    with connection.cursor() as cursor:
        cursor.execute(_with_time_limit(connection, sql, wait_limit(DEFAULT_LIMIT)), params)
        # Some drivers return one result per statement. Then the result of SET LOCAL comes first.
        while cursor.description is None and cursor.nextset():
            pass
        return list(cursor.fetchall())


def fetch_catalog(connection: BaseDatabaseWrapper, sql: str, params: Sequence[Any]) -> list[_Row]:
    """Return the rows of a query that calls PostgreSQL functions with the OIDs of tables.

    The query reads a snapshot of the catalog, but its functions read the current catalog. They raise an error for a
    table that was dropped or replaced in between. The query is then sent again, up to four times.

    Raises:
        django.db.Error: the error of the driver, as in :func:`fetch`.
    """
    for _ in range(_CATALOG_RETRIES):
        try:
            return fetch(connection, sql, params)
        except DatabaseError as error:
            if sqlstate_of(error) != _INTERNAL_ERROR:
                raise
    return fetch(connection, sql, params)


def _with_time_limit(connection: BaseDatabaseWrapper, sql: str, limit: float) -> str:
    """Return ``sql`` with a time limit (seconds) that applies only to this statement.

    On PostgreSQL, the limit and the statement are sent in one message, which is one transaction. Behind PgBouncer, a
    plain SET would leak to the next client, and a startup option would be rejected.
    """
    milliseconds = max(1, math.ceil(limit * 1000))
    if connection.vendor == "postgresql":
        return f"SET LOCAL statement_timeout = {milliseconds}; {sql}"
    if connection.vendor == "mysql":
        # MySQL and MariaDB each ignore the other's limit as a comment. Finding out which of them it is would take an
        # extra query.
        hinted = re.sub(r"^\s*SELECT\b", f"SELECT /*+ MAX_EXECUTION_TIME({milliseconds}) */", sql, count=1)
        return f"/*M! SET STATEMENT max_statement_time={milliseconds / 1000} FOR */ {hinted}"
    return sql


def problem_of(error: BaseException, alias: str) -> Problem:
    """Return the problem that ``error``, a ``django.db.Error``, is reported as for ``alias``.

    It contains nothing of the driver's text. Exceptions that Django raises for an alias without a database, and other
    exceptions while connecting, are accepted as well.
    """
    if isinstance(error, ConnectionDoesNotExist):
        return unknown_alias(alias).problem
    if isinstance(error, ImproperlyConfigured):
        is_unconfigured = settings_of(alias).get("ENGINE", _NO_ENGINE) in ("", _NO_ENGINE)
        reason = (
            "no database is configured for this alias"
            if is_unconfigured
            else "its settings or its engine are incomplete"
        )
        return _unusable_engine(alias, reason).problem
    driver_error = DriverError.of(error)
    meaning = _specific_meaning(meaning_of(driver_error), alias, is_file=driver_error.sqlite_code is not None)
    evidence: dict[str, Evidence] = {"alias": alias, "error": driver_error.kind}
    if driver_error.sqlstate is not None:
        evidence["sqlstate"] = driver_error.sqlstate
    if driver_error.number is not None:
        evidence["number"] = driver_error.number
    return _problem(meaning, alias, evidence)


def _specific_meaning(meaning: Meaning, alias: str, *, is_file: bool) -> Meaning:
    """Return a more specific meaning if the settings or the files of ``alias`` allow one; else ``meaning``."""
    if meaning is meanings.HBA and _is_without_tls(alias):
        return meanings.TLS_REQUIRED
    if is_file and meaning in (meanings.UNREADABLE_FILE, meanings.READ_ONLY):
        return _meaning_of_file(path_of(str(settings_of(alias).get("NAME", ""))), meaning)
    return meaning


def _is_without_tls(alias: str) -> bool:
    options = settings_of(alias).get("OPTIONS")
    mode = options.get("sslmode") if isinstance(options, Mapping) else None
    return (mode or os.environ.get("PGSSLMODE")) == "disable"


def _meaning_of_file(path: str, meaning: Meaning) -> Meaning:
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        return meanings.MISSING_FOLDER
    if not os.path.exists(path):
        return meanings.MISSING_FILE
    if not os.access(folder, os.W_OK) and _is_in_wal_mode(path):
        return meanings.UNREADABLE_WAL
    return meaning


def _is_in_wal_mode(path: str) -> bool:
    """Return True if the header of a SQLite file sets WAL mode (https://www.sqlite.org/fileformat2.html)."""
    try:
        with open(path, "rb") as file:
            return file.read(20)[18:20] == b"\x02\x02"
    except OSError:
        return False


def _problem(meaning: Meaning, alias: str, evidence: Mapping[str, Evidence]) -> Problem:
    address = address_of(alias)
    source = f"DATABASES[{alias!r}]"
    name = address.get("name")
    message = meaning.message.format(
        database=f"{alias!r}{describe_address(address)}",
        server=describe_address({key: value for key, value in address.items() if key != "name"}),
        named=f"named {name!r} ({source})" if is_shown(name) else f"with the name in {source}",
    )
    return Problem(meaning.code, meaning.fault, message, meaning.hint, {**evidence, **address})


def is_missing_table(error: DatabaseError) -> bool:
    """Return True if ``error`` means that a table of the query does not exist."""
    cause = error.__cause__ or error
    return sqlstate_of(error) == "42P01" or cause.args[:1] == (1146,) or str(cause).startswith("no such table")
