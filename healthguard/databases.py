"""A run's own database connections: bounded in time, closed at the end, never the application's.

Also the one place that reads what a database driver's error means, for drivers put names, addresses and sometimes
whole connection strings into their texts, and these are never shown.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import re
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, Error, InterfaceError, OperationalError, connections, transaction
from django.utils.connection import ConnectionDoesNotExist

from healthguard.deadline import wait_limit
from healthguard.exceptions import Unhealthy
from healthguard.status import Fault, Problem

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

DEFAULT_LIMIT = 5.0
"""How long a query may take where no deadline is set (seconds): django-health-check's own timeout."""

# psycopg rounds anything shorter up to this.
_MIN_CONNECT_SECONDS = 2

_Row = tuple[Any, ...]

_own: weakref.WeakSet[BaseDatabaseWrapper] = weakref.WeakSet()
"""The connections of runs, which last for all the checks of a run."""

_CANCEL_SECONDS = 1.0
"""How long a server may take to be told that a query is no longer wanted, and how long until it has stopped it."""


class OwnConnections:
    """The database connections of one run, on all of its threads.

    Args:
        limit: how long connecting may take, and how long a peer may be silent (seconds).
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._open: list[_Opened] = []

    @contextlib.contextmanager
    def on_this_thread(self) -> Iterator[None]:
        """Give this thread connections of its own, for as long as the block lasts.

        Every alias gets one; it connects when it is first used, and is closed at the end.
        """
        aliases: list[str] = []
        for alias in _aliases():
            # An engine that cannot be loaded is the concern of whoever uses it: they meet the same error there.
            with contextlib.suppress(Exception):
                connections[alias] = connection = _bounded(connections.create_connection(alias), self._limit)
                _tell_when_open(connection, self._note)
                _own.add(connection)
                aliases.append(alias)
        try:
            yield
        finally:
            for alias in aliases:
                with contextlib.suppress(Exception):
                    connections[alias].close()

    def cut(self, is_over: Callable[[], bool]) -> None:
        """Break what still waits for a server; returns at once.

        What the driver and the server bound by themselves has failed before; this is for a query without a limit, and
        for a connection that is served no longer and was never told so, which would be waited for for ever. The
        server is asked to stop the query first: only to hang up would leave it waiting there, one for each run.

        Args:
            is_over: whether there is nothing to break any more.

        Raises:
            RuntimeError: there is no thread to do it on.
        """
        with self._lock:
            open_ = [opened for opened in self._open if not opened.is_closed]
        if open_:
            threading.Thread(target=_cut, args=(open_, is_over), name="healthguard-cut", daemon=True).start()

    def _note(self, opened: _Opened) -> None:
        with self._lock:
            self._open = [known for known in self._open if not known.is_closed] + [opened]


class _Opened:
    """A driver's connection, as another thread may break it.

    Args:
        connection: of psycopg or psycopg2; other drivers have limits of their own for every wait.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._inode = os.fstat(connection.fileno()).st_ino

    @property
    def is_closed(self) -> bool:
        return bool(self._connection.closed)

    def cancel(self) -> None:
        """Ask the server to stop what it does for this connection."""
        with contextlib.suppress(Exception):
            if hasattr(self._connection, "cancel_safe"):
                self._connection.cancel_safe(timeout=_CANCEL_SECONDS)
            else:
                self._connection.cancel()

    def hang_up(self) -> None:
        """Wake up whoever waits for an answer: with an error."""
        with contextlib.suppress(Exception), socket.socket(fileno=os.dup(self._connection.fileno())) as held:
            # Its thread may have closed it meanwhile, and the number may belong to another socket by now.
            if os.fstat(held.fileno()).st_ino == self._inode:
                held.shutdown(socket.SHUT_RDWR)


def _cut(open_: Sequence[_Opened], is_over: Callable[[], bool]) -> None:
    for opened in open_:
        opened.cancel()
    ends = time.monotonic() + _CANCEL_SECONDS
    while not is_over() and time.monotonic() < ends:
        time.sleep(0.05)
    for opened in open_:
        if not is_over():
            opened.hang_up()


def _tell_when_open(connection: BaseDatabaseWrapper, tell: Callable[[_Opened], None]) -> None:
    """Let ``tell`` know of what ``connection`` opens, before the first query on it: that may already hang."""
    if connection.vendor != "postgresql":
        return
    connect = connection.get_new_connection

    def told(params: Any) -> Any:
        opened = connect(params)
        tell(_Opened(opened))
        return opened

    connection.get_new_connection = told  # type: ignore[method-assign, assignment]


def _aliases() -> list[str]:
    try:
        return list(connections)
    except Exception:
        # DATABASES itself is wrong: whoever needs a database is told so when they ask for it.
        return []


def _bounded(connection: BaseDatabaseWrapper, limit: float) -> BaseDatabaseWrapper:
    """``connection``, still closed, with a copy of its settings that bounds what it waits for."""
    settings = {**connection.settings_dict}
    options = settings["OPTIONS"] = {**settings.get("OPTIONS", {})}
    # Rounded down: what fails must still be told before the run has outlived its timeout.
    seconds = max(_MIN_CONNECT_SECONDS, math.floor(limit))
    settings["CONN_MAX_AGE"] = 0
    if connection.vendor == "postgresql":
        # A pool is the application's, and may be exhausted just when it is asked about.
        options.pop("pool", None)
        # What goes to the server with the connection would stay on a pooled one; these are the client's own.
        options["connect_timeout"] = min(seconds, _positive(options.get("connect_timeout")) or seconds)
        options.setdefault("keepalives_idle", seconds)
        options.setdefault("keepalives_interval", 1)
        options.setdefault("keepalives_count", 3)
        options.setdefault("tcp_user_timeout", seconds * 1000)
        # A limit and its query travel in one message, which parameters bound by the server would forbid.
        options["server_side_binding"] = False
    elif connection.vendor == "mysql":
        for name in ("connect_timeout", "read_timeout", "write_timeout"):
            options[name] = min(seconds, _positive(options.get(name)) or seconds)
    elif connection.vendor == "sqlite":
        options["timeout"] = min(limit, float(options.get("timeout") or limit))
        settings["NAME"] = _existing_file(settings["NAME"])
    connection.settings_dict = settings
    return connection


def _positive(value: object) -> int | None:
    try:
        number = int(float(str(value)))
    except ValueError:
        return None
    return number if number > 0 else None


def _existing_file(name: object) -> object:
    """A SQLite name that does not create a missing file, as a plain connect would."""
    text = str(name)
    if not text or text == ":memory:" or text.startswith("file:"):
        return name
    return f"{Path(text).absolute().as_uri()}?mode=rw"


@contextlib.contextmanager
def database(alias: str) -> Iterator[BaseDatabaseWrapper]:
    """The calling thread's connection to ``alias``, for a check.

    Outside a run, as in django-health-check's view, a connection that the check opens is closed at the end.

    Raises:
        Unhealthy: no such alias, its engine cannot be loaded; or in place of any ``django.db.Error`` inside.
    """
    connection = _connection(alias)
    is_lent = connection.connection is not None or connection in _own
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
            f"There is no database alias {alias!r}.",
            fault=Fault.CONFIG,
            hint="Name an alias of the DATABASES setting.",
            evidence={"alias": alias, "known": sorted(connections)},
        ) from None
    except Exception as error:
        raise _no_engine(alias, f"its engine cannot be loaded ({type(error).__name__})") from None


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
        if getattr(connection, "mysql_is_mariadb", False):
            return f"SET STATEMENT max_statement_time={milliseconds / 1000} FOR {sql}"
        return re.sub(r"^\s*SELECT\b", f"SELECT /*+ MAX_EXECUTION_TIME({milliseconds}) */", sql, count=1)
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
_MEANINGS = (
    _FAILED,
    _Meaning(
        "database_missing",
        Fault.CONFIG,
        "does not exist on its server",
        "Look at the name in DATABASE_URL or DATABASES: the server answers, but has no database of that name.",
        sqlstates=("3D000",),
        numbers=(1049,),
        text=r'database ".*" does not exist|unable to open database file',
    ),
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
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    number = next((arg for arg in cause.args[:1] if isinstance(arg, int)), None)
    meaning = _meaning(state, number, str(cause), is_connection=isinstance(error, OperationalError | InterfaceError))
    evidence: dict[str, Any] = {"alias": alias, "error": type(cause).__name__}
    if state is not None:
        evidence["sqlstate"] = str(state)
    if number is not None:
        evidence["number"] = number
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


def is_missing_table(error: DatabaseError) -> bool:
    """Whether ``error`` says that a table of the query does not exist."""
    cause = error.__cause__ or error
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return state == "42P01" or cause.args[:1] == (1146,) or str(cause).startswith("no such table")
