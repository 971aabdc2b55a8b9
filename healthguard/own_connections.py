"""A run's own database connections: bounded in time, closed at the end, never the application's."""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import connections

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# psycopg rounds anything shorter up to this.
_MIN_CONNECT_SECONDS = 2

_CANCEL_SECONDS = 1.0
"""How long a server may take to be told that a query is no longer wanted (seconds)."""
_STOP_SECONDS = 0.25
"""How long it may then take to stop it (seconds)."""

_own: weakref.WeakSet[BaseDatabaseWrapper] = weakref.WeakSet()


def is_own(connection: BaseDatabaseWrapper) -> bool:
    """Whether ``connection`` is one of a run's, which lasts for all of its checks."""
    return connection in _own


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

    def _note(self, opened: _Opened) -> None:
        with self._lock:
            self._open = [known for known in self._open if not known.is_closed] + [opened]
            self.was_cut = self.was_cut or self._is_cut
        if self._is_cut:
            opened.hang_up()


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
        """Ask the server to stop what it does for this connection, if the driver can do so without harm.

        psycopg2, and psycopg with a libpq before 17, hold the GIL until the server takes the request: a server that is
        silent would stop the whole process.
        """
        with contextlib.suppress(Exception):
            from psycopg import capabilities

            if capabilities.has_cancel_safe():
                self._connection.cancel_safe(timeout=_CANCEL_SECONDS)

    def hang_up(self) -> None:
        """Wake up whoever waits for an answer: with an error."""
        with contextlib.suppress(Exception):
            number = os.dup(self._connection.fileno())
            # Its thread may have closed it meanwhile, and the number may belong to something else by now.
            if os.fstat(number).st_ino != self._inode:
                os.close(number)
                return
            with socket.socket(fileno=number) as held:
                held.shutdown(socket.SHUT_RDWR)


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


def _tell_when_open(connection: BaseDatabaseWrapper, tell: Callable[[_Opened], None]) -> None:
    """Let ``tell`` know of what ``connection`` opens, before the first query on it: that may already hang."""
    if connection.vendor != "postgresql":
        return
    connect = connection.get_new_connection

    def told(params: Any) -> Any:
        opened = connect(params)
        # An engine of somebody else's, or another system, may not let us: then it serves all the same.
        with contextlib.suppress(Exception):
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
