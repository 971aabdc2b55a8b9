"""A run's own database connections: bounded in time, closed at the end, never the application's."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from django.db import connections

from healthguard.driver_limits import LIBPQ_DRIVERS, SQLITE_DRIVERS
from healthguard.own_engines import OwnConnection, own_connection

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

_CANCEL_SECONDS = 1.0
"""How long a server may take to be told that a query is no longer wanted (seconds)."""
_STOP_SECONDS = 0.25
"""How long it may then take to stop it (seconds)."""
_SQLITE_STEPS = 100_000
"""The number of steps of SQLite's virtual machine that pass between two checks for a cut: a few milliseconds."""


def is_own(connection: BaseDatabaseWrapper) -> bool:
    """Whether ``connection`` is one of a run's, which lasts for all of its checks."""
    return isinstance(connection, OwnConnection)


class OwnConnections:
    """The database connections of one run, on all of its threads.

    Args:
        limit: how long connecting may take, and how long a peer may be silent (seconds).
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._open: list[_Opened] = []
        self._is_cut = False
        self.was_cut = False
        """Whether a connection has been broken."""

    @contextlib.contextmanager
    def on_this_thread(self) -> Iterator[None]:
        """Give this thread connections of its own, for as long as the block lasts.

        Every alias gets one; it connects when it is first used, and is closed at the end.
        """
        aliases: list[str] = []
        for alias in _aliases():
            # An engine that cannot be loaded is the concern of whoever uses it: they meet the same error there.
            with contextlib.suppress(Exception):
                connections[alias] = own_connection(alias, self._limit, self._note)
                aliases.append(alias)
        try:
            yield
        finally:
            for alias in aliases:
                with contextlib.suppress(Exception):
                    connections[alias].close()

    def cut(self, is_over: Callable[[], bool]) -> None:
        """Break what still waits for a server, and what may be opened from now on; returns at once.

        What the driver and the server bound by themselves has failed before; this is for a query without a limit, and
        for a connection that is served no longer and was never told so, which would be waited for for ever. The
        server is asked to stop the query first: only to hang up would leave it waiting there, one for each run.

        Args:
            is_over: whether there is nothing to break any more.
        """
        with self._lock:
            self._is_cut = True
            open_ = [opened for opened in self._open if not opened.is_closed]
        if not open_:
            return
        self.was_cut = True
        try:
            threading.Thread(target=_cut, args=(open_, is_over), name="healthguard-cut", daemon=True).start()
        except RuntimeError:
            # The process has no thread left on which to ask the server first.
            _hang_up(open_, is_over)

    def _note(self, driver: str, connection: Any) -> None:
        """Keep a connection before the first query on it, which may already hang."""
        try:
            opened = _opened(driver, connection)
        except Exception:
            # Another operating system may not let a thread break another's connection: it is used all the same.
            return
        if opened is None:
            return
        with self._lock:
            self._open = [known for known in self._open if not known.is_closed] + [opened]
            self.was_cut = self.was_cut or self._is_cut
        if self._is_cut:
            opened.hang_up()


class _Opened(Protocol):
    """A driver's open connection, which another thread can break."""

    @property
    def is_closed(self) -> bool: ...

    def cancel(self) -> None:
        """Ask for the end of the query that is running."""

    def hang_up(self) -> None:
        """Let the query that is running, and every later one, fail."""


def _opened(driver: str, connection: Any) -> _Opened | None:
    """Return what breaks ``connection``; None for drivers whose limits end every wait, and for unknown ones."""
    if driver in LIBPQ_DRIVERS:
        return _OpenedLibpq(connection)
    return _OpenedSQLite(connection) if driver in SQLITE_DRIVERS else None


class _OpenedLibpq:
    """A connection of psycopg or psycopg2."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._inode = os.fstat(connection.fileno()).st_ino

    @property
    def is_closed(self) -> bool:
        return bool(self._connection.closed)

    def cancel(self) -> None:
        """Send a cancel request to the server, if the driver can do so without harm.

        psycopg2, and psycopg with a libpq before 17, hold the GIL until the server takes the request: a server that is
        silent would stop the whole process.
        """
        with contextlib.suppress(Exception):
            from psycopg import capabilities

            if capabilities.has_cancel_safe():
                self._connection.cancel_safe(timeout=_CANCEL_SECONDS)

    def hang_up(self) -> None:
        """Shut the socket down: whoever waits for an answer gets an error."""
        with contextlib.suppress(Exception):
            number = os.dup(self._connection.fileno())
            # Its thread may have closed it meanwhile, and the number may belong to something else by now.
            if os.fstat(number).st_ino != self._inode:
                os.close(number)
                return
            with socket.socket(fileno=number) as held:
                held.shutdown(socket.SHUT_RDWR)


class _OpenedSQLite:
    """A connection of sqlite3, whose queries compute in this process.

    ``interrupt()`` would end only a query that is running at that moment, not the next one of the same check.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._is_unwanted = threading.Event()
        # SQLite calls it every so many steps of a query, and ends the query if it returns True.
        connection.set_progress_handler(self._is_unwanted.is_set, _SQLITE_STEPS)

    @property
    def is_closed(self) -> bool:
        try:
            self._connection.total_changes  # noqa: B018
        except Exception:
            return True
        return False

    def cancel(self) -> None:
        self._is_unwanted.set()

    def hang_up(self) -> None:
        self._is_unwanted.set()


def _cut(open_: Sequence[_Opened], is_over: Callable[[], bool]) -> None:
    for opened in open_:
        opened.cancel()
    ends = time.monotonic() + _STOP_SECONDS
    while not is_over() and time.monotonic() < ends:
        time.sleep(0.02)
    _hang_up(open_, is_over)


def _hang_up(open_: Sequence[_Opened], is_over: Callable[[], bool]) -> None:
    for opened in open_:
        if not is_over():
            opened.hang_up()


def _aliases() -> list[str]:
    try:
        return list(connections)
    except Exception:
        # DATABASES itself is wrong: whoever needs a database is told so when they ask for it.
        return []
