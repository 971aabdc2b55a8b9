"""Database connections of a run: limited in time, closed at the end, separate from the application's connections."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from django.db import connections

from healthguard.database.driver_limits import LIBPQ_DRIVERS, SQLITE_DRIVERS
from healthguard.database.run_engines import RunConnection, run_connection

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

_CANCEL_SECONDS = 1.0
"""The maximum time to send a cancel request to a server (seconds)."""
_STOP_SECONDS = 0.25
"""The time that the server then has to stop the query (seconds)."""
_SQLITE_STEPS = 100_000
"""The number of steps of SQLite's virtual machine between two calls of the progress handler: a few milliseconds."""


def is_run_connection(connection: BaseDatabaseWrapper) -> bool:
    """Return True if ``connection`` belongs to a run, which keeps it open for all of its checks."""
    return isinstance(connection, RunConnection)


class RunConnections:
    """The database connections of one run, on all of its threads.

    Args:
        limit: the maximum time to connect, and to wait for a response of the server (seconds).
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._open: list[_AbortableConnection] = []
        self._is_aborted = False
        self.was_aborted = False
        """True if a connection has been aborted."""

    @contextlib.contextmanager
    def on_this_thread(self) -> Iterator[None]:
        """Replace this thread's connections by connections of the run. The thread must not be used for anything else.

        Every alias gets one. It connects when it is first used, and is closed at the end of the block.
        """
        aliases: list[str] = []
        for alias in _aliases():
            # An engine that cannot be loaded raises the same error again when a check uses the alias.
            with contextlib.suppress(Exception):
                self._replace(alias)
                aliases.append(alias)
        try:
            yield
        finally:
            for alias in aliases:
                with contextlib.suppress(Exception):
                    connections[alias].close()

    def replace_used_up(self) -> None:
        """Replace the connections of this thread that the next run of a round cannot use as they are.

        These are connections that have had an error, or on which a check has left a transaction open.
        """
        for connection in connections.all(initialized_only=True):
            if is_run_connection(connection) and _is_used_up(connection):
                with contextlib.suppress(Exception):
                    connection.close()
                with contextlib.suppress(Exception):
                    self._replace(connection.alias)

    def _replace(self, alias: str) -> None:
        connections[alias] = run_connection(alias, self._limit, self._register)

    def abort(self, is_over: Callable[[], bool]) -> None:
        """Abort the open connections, and every connection that is opened from now on. Return immediately.

        Operations with a limit of the driver or the server have failed before this is called. It is needed for a query
        without a limit, and for a connection whose server disappeared without closing it, because the wait for either
        would never end. A cancel request is sent to the server first. If the connection were only closed, the query
        would keep running on the server, one for each run.

        Args:
            is_over: a function that returns True if there is nothing left to abort.
        """
        with self._lock:
            self._is_aborted = True
            open_connections = [connection for connection in self._open if not connection.is_closed]
        if not open_connections:
            return
        self.was_aborted = True
        try:
            threading.Thread(
                target=_cancel_and_abort, args=(open_connections, is_over), name="healthguard-abort", daemon=True
            ).start()
        except Exception:
            # The process cannot start another thread, and a cancel request would block this one.
            _abort_all(open_connections, is_over)

    def _register(self, driver: str, driver_connection: Any) -> None:
        """Store a connection before its first query, which may already hang."""
        try:
            connection = _abortable(driver, driver_connection)
        except Exception:
            # Some operating systems do not allow a thread to abort another thread's connection. Use it anyway.
            return
        if connection is None:
            return
        with self._lock:
            self._open = [registered for registered in self._open if not registered.is_closed] + [connection]
            self.was_aborted = self.was_aborted or self._is_aborted
        if self._is_aborted:
            connection.abort()


class _AbortableConnection(Protocol):
    """A driver's open connection that another thread can abort."""

    @property
    def is_closed(self) -> bool: ...

    def cancel(self) -> None:
        """Request the end of the running query."""

    def abort(self) -> None:
        """Make the running query and every later query fail."""


def _abortable(driver: str, driver_connection: Any) -> _AbortableConnection | None:
    """Return ``driver_connection`` as an abortable connection.

    Return None for drivers whose limits end every wait, and for unknown drivers.
    """
    if driver in LIBPQ_DRIVERS:
        return _AbortableLibpqConnection(driver_connection)
    return _AbortableSQLiteConnection(driver_connection) if driver in SQLITE_DRIVERS else None


class _AbortableLibpqConnection:
    """A connection of psycopg or psycopg2."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._inode = os.fstat(connection.fileno()).st_ino

    @property
    def is_closed(self) -> bool:
        return bool(self._connection.closed)

    def cancel(self) -> None:
        """Send a cancel request to the server, if the driver can do so safely.

        psycopg2, and psycopg with a libpq before 17, hold the GIL until the server accepts the request. A server that
        does not respond would block the whole process.
        """
        with contextlib.suppress(Exception):
            from psycopg import capabilities

            if capabilities.has_cancel_safe():
                self._connection.cancel_safe(timeout=_CANCEL_SECONDS)

    def abort(self) -> None:
        """Shut down the socket. A thread that waits for a response gets an error."""
        with contextlib.suppress(Exception):
            descriptor = os.dup(self._connection.fileno())
            # The connection's thread may have closed it, and its descriptor may already belong to another file.
            if os.fstat(descriptor).st_ino != self._inode:
                os.close(descriptor)
                return
            with socket.socket(fileno=descriptor) as duplicate:
                duplicate.shutdown(socket.SHUT_RDWR)


class _AbortableSQLiteConnection:
    """A connection of sqlite3, whose queries run in this process.

    ``interrupt()`` is not used, because it would end only a query that is running at that moment, not the next query of
    the same check.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._aborted = threading.Event()
        # SQLite calls the handler every _SQLITE_STEPS steps of a query, and ends the query if it returns True.
        connection.set_progress_handler(self._aborted.is_set, _SQLITE_STEPS)

    @property
    def is_closed(self) -> bool:
        try:
            self._connection.total_changes  # noqa: B018
        except Exception:
            return True
        return False

    def cancel(self) -> None:
        self._aborted.set()

    def abort(self) -> None:
        self._aborted.set()


def _cancel_and_abort(open_connections: Sequence[_AbortableConnection], is_over: Callable[[], bool]) -> None:
    for connection in open_connections:
        connection.cancel()
    ends = time.monotonic() + _STOP_SECONDS
    while not is_over() and time.monotonic() < ends:
        time.sleep(0.02)
    _abort_all(open_connections, is_over)


def _abort_all(open_connections: Sequence[_AbortableConnection], is_over: Callable[[], bool]) -> None:
    for connection in open_connections:
        if not is_over():
            connection.abort()


def _is_used_up(connection: BaseDatabaseWrapper) -> bool:
    if connection.connection is None:
        return bool(connection.in_atomic_block)
    return (
        connection.errors_occurred
        or connection.in_atomic_block
        or connection.autocommit != connection.settings_dict["AUTOCOMMIT"]
    )


def _aliases() -> list[str]:
    try:
        return list(connections)
    except Exception:
        # DATABASES itself is invalid. A check that uses a database raises the same error.
        return []
