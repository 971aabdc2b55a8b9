"""Queries of checks: one at a time, each bounded in time, and the problems that failures mean.

Drivers put names, addresses and sometimes whole connection strings into the texts of their errors: these are read here,
and never shown.
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

from healthguard import database_meanings as meanings
from healthguard.database_errors import DriverError, meaning_of, sqlstate_of
from healthguard.database_meanings import Meaning
from healthguard.database_places import described, path_of, place_of, settings_of
from healthguard.deadline import wait_limit
from healthguard.declared import nearest, shown, shown_name
from healthguard.exceptions import Unhealthy
from healthguard.own_connections import is_own
from healthguard.status import Evidence, Fault, Problem

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

__all__ = ["DEFAULT_LIMIT", "database", "fetch", "is_missing_table", "problem_of", "sqlstate_of", "unknown_alias"]

DEFAULT_LIMIT = 5.0
"""How long a query may take where no deadline is set (seconds): django-health-check's own timeout."""

_NO_ENGINE = "django.db.backends.dummy"

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
        name = str(connection.settings_dict["NAME"])
        raise Unhealthy.of(_problem(_meaning_of_file(name, meanings.MISSING_FILE), alias, {"alias": alias}))
    try:
        _open(connection)
        yield connection
    except Error as error:
        raise Unhealthy.of(problem_of(error, alias)) from None
    finally:
        if not is_lent:
            connection.close()


def _open(connection: BaseDatabaseWrapper) -> None:
    """Connect, so that whatever is raised by that has one meaning for all checks."""
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
        raise _no_engine(alias, f"its engine cannot be loaded ({type(error).__name__})") from None


def unknown_alias(alias: str) -> Unhealthy:
    """Return the problem of an alias that DATABASES does not have."""
    known = sorted(map(str, connections))
    near = nearest(str(alias), known)
    meant = f"Did you mean {shown(near)}? " if near else ""
    return Unhealthy(
        "unknown_alias",
        f"{shown(alias)} is not an alias of the DATABASES setting.",
        fault=Fault.CONFIG,
        hint=f"{meant}Name one of its aliases: {', '.join(map(shown, known))}.",
        evidence={"alias": shown_name(str(alias)), "known": [shown_name(name) for name in known]},
    )


def _is_missing_file(name: object) -> bool:
    text = str(name)
    return bool(text) and text != ":memory:" and not text.startswith("file:") and not os.path.exists(text)


def _no_engine(alias: str, reason: str) -> Unhealthy:
    evidence: dict[str, Evidence] = {"alias": alias}
    hint = f"Check DATABASES[{alias!r}]: is the variable it is made from set, and the driver of its ENGINE installed?"
    url = os.environ.get("DATABASE_URL")
    if alias == DEFAULT_DB_ALIAS and url is not None and not url.strip():
        evidence["DATABASE_URL"] = "empty"
        reason += ", and the variable DATABASE_URL is empty"
        hint = "Set DATABASE_URL, and check the Secret it is mounted from: an empty value in a Secret is legal."
    return Unhealthy(
        "database_engine",
        f"Database {alias!r} cannot be used: {reason}.",
        fault=Fault.CONFIG,
        hint=hint,
        evidence=evidence,
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


def problem_of(error: BaseException, alias: str) -> Problem:
    """Return the problem that ``error``, a ``django.db.Error``, means for ``alias``; without any of the driver's text.

    What Django raises for an alias without a database, or another exception while connecting, is read as well.
    """
    if isinstance(error, ConnectionDoesNotExist):
        return unknown_alias(alias).problem
    if isinstance(error, ImproperlyConfigured):
        is_none = settings_of(alias).get("ENGINE", _NO_ENGINE) in ("", _NO_ENGINE)
        reason = "no database is configured under it" if is_none else "its settings or its engine are not complete"
        return _no_engine(alias, reason).problem
    found = DriverError.of(error)
    meaning = _meaning_here(meaning_of(found), alias, is_file=found.sqlite_code is not None)
    evidence: dict[str, Evidence] = {"alias": alias, "error": found.kind}
    if found.sqlstate is not None:
        evidence["sqlstate"] = found.sqlstate
    if found.number is not None:
        evidence["number"] = found.number
    return _problem(meaning, alias, evidence)


def _meaning_here(meaning: Meaning, alias: str, *, is_file: bool) -> Meaning:
    """Return what only the settings and the files of ``alias`` add to ``meaning``."""
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
    """Return True if a SQLite file's header names WAL mode (https://www.sqlite.org/fileformat2.html)."""
    try:
        with open(path, "rb") as file:
            return file.read(20)[18:20] == b"\x02\x02"
    except OSError:
        return False


def _problem(meaning: Meaning, alias: str, evidence: Mapping[str, Evidence]) -> Problem:
    place = place_of(alias)
    message = f"Database {alias!r}{described(place)} {meaning.message}."
    return Problem(meaning.code, meaning.fault, message, meaning.hint, {**evidence, **place})


def is_missing_table(error: DatabaseError) -> bool:
    """Whether ``error`` says that a table of the query does not exist."""
    cause = error.__cause__ or error
    return sqlstate_of(error) == "42P01" or cause.args[:1] == (1146,) or str(cause).startswith("no such table")
