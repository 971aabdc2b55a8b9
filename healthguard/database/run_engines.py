"""Database engines for the connections of a run.

Connections are opened and closed as in Django's own engine. Everything else of the project's engine is kept.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias, cast

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from healthguard.database.driver_limits import bounded, driver_of
from healthguard.database.errors import WRAPPED_ERROR_TEXT
from healthguard.database.statement_limits import limit_statements, limit_transaction

OnOpen: TypeAlias = Callable[[str, Any], None]
"""A function that takes the driver's name and an open connection of the driver."""

_DIRECT_PACKAGES = ("django.", "mysql.connector.django.")
"""The packages whose engines connect by calling the driver."""
_CONNECTION_MEMBERS = (
    "connect",
    "get_new_connection",
    "close",
    "_close",
    "close_if_unusable_or_obsolete",
    "close_if_health_check_failed",
    "is_usable",
    "_set_autocommit",
    "_commit",
    "_rollback",
    "pool",
    "close_pool",
)
"""The members that open, close or directly use the driver's connection. A pooling engine overrides some of them."""
_IGNORED_OPTIONS = frozenset({"pool", "server_side_binding"})
"""Options of Django's engines that a run's connection ignores.

A pool belongs to the application, and may be exhausted when its database is checked. With server-side binding, a time
limit and its query cannot be sent in one message.
"""


class RunConnection(BaseDatabaseWrapper):
    """The base class of all connections of a run."""

    is_direct: ClassVar[bool] = False
    """True if this class connects by calling the driver. Otherwise its parameters may not be those of the driver."""
    has_pool_options: ClassVar[bool] = False
    """True if OPTIONS may contain options of an engine's pool."""
    limit: float
    """The maximum time to connect, and to wait for a response of the server (seconds)."""
    on_open: OnOpen
    """The callback for each connection of the driver, called before the connection is used."""
    transaction_prefix: str = ""
    """The SQL to add before the first statement of each transaction."""

    def get_connection_params(self) -> dict[str, Any]:
        """Return the engine's connection parameters with limits, without the options of the engine's pool."""
        params: dict[str, Any] = super().get_connection_params()
        if not self.is_direct:
            return params
        if self.has_pool_options:
            # For example, MAX_CONNS of django-db-geventpool. The parameters of drivers are never in upper case.
            params = {name: value for name, value in params.items() if not name.isupper()}
        return bounded(driver_of(self), params, self.limit)

    def get_new_connection(self, conn_params: Any) -> Any:
        """Open a connection that is not shared with a pool or another part of the process."""
        try:
            connection = super().get_new_connection(conn_params)
        except Exception as error:
            driver: Any = getattr(self, "Database", None)
            if not self.is_direct or isinstance(error, driver.Error | ImproperlyConfigured):
                raise
            # For example, a parameter that the driver does not support, or a file that does not exist. It is raised as
            # an error of the driver, so that all checks report the same problem.
            raise driver.OperationalError(WRAPPED_ERROR_TEXT) from error
        if self.is_direct:
            driver = driver_of(self)
            self.on_open(driver, connection)
            self.transaction_prefix = limit_statements(driver, connection, self.limit)
        return connection


def run_connection(alias: str, limit: float, on_open: OnOpen) -> RunConnection:
    """Return a new connection to ``alias``, which is not open yet.

    Args:
        alias: the alias in DATABASES.
        limit: the maximum time to connect, and to wait for a response of the server (seconds).
        on_open: a function that is called with the driver's name and each connection of the driver, before it is used.
    """
    database_settings = connections.settings[alias]
    options = {name: value for name, value in database_settings["OPTIONS"].items() if name not in _IGNORED_OPTIONS}
    engine = load_backend(database_settings["ENGINE"]).DatabaseWrapper
    connection = _run_connection_class(engine)({**database_settings, "OPTIONS": options, "CONN_MAX_AGE": 0}, alias)
    connection.limit, connection.on_open = limit, on_open
    connection.execute_wrappers.append(limit_transaction)
    return connection


@functools.cache
def _run_connection_class(engine: type[BaseDatabaseWrapper]) -> type[RunConnection]:
    """Return a subclass of ``engine`` for the connections of runs.

    If the engine derives from one that calls the driver, that engine opens and closes the connection. Everything else
    that the engine adds is kept, for example parameters, cursors or a search path. An engine that overrides only how
    connections are opened does not have a pool. It adds credentials, for example, and is used unchanged.
    """
    direct = _direct_class(engine)
    members: dict[str, Any] = {"__module__": engine.__module__}
    if direct is None:
        return cast("type[RunConnection]", type(engine.__name__, (RunConnection, engine), members))
    overridden = {
        name for name in _CONNECTION_MEMBERS if getattr(engine, name, None) is not getattr(direct, name, None)
    }
    if overridden <= {"get_new_connection"}:
        members["is_direct"] = True
        return cast("type[RunConnection]", type(engine.__name__, (RunConnection, engine), members))
    direct_members = {
        name: inspect.getattr_static(direct, name) for name in _CONNECTION_MEMBERS if hasattr(direct, name)
    }

    def close(self: BaseDatabaseWrapper) -> None:
        direct.close(self)
        if self.connection is None:
            # The connection is closed already, but the engine may have to reset state that it stores about it.
            engine.close(self)

    if engine.close is not direct.close:
        direct_members["close"] = close
    direct_engine = type(engine.__name__, (engine,), {**members, **direct_members})
    members |= {"is_direct": True, "has_pool_options": "get_new_connection" in overridden}
    return cast("type[RunConnection]", type(engine.__name__, (RunConnection, direct_engine), members))


def _direct_class(engine: type[BaseDatabaseWrapper]) -> type[BaseDatabaseWrapper] | None:
    """Return the base class of ``engine`` that calls the driver; None if there is none."""
    for base in engine.__mro__:
        if issubclass(base, BaseDatabaseWrapper) and base.__module__.startswith(_DIRECT_PACKAGES):
            opens_connections = base.get_new_connection is not BaseDatabaseWrapper.get_new_connection
            # An engine with another driver, for example over JDBC, opens its connections itself.
            return base if opens_connections and _driver_module(base) is _driver_module(engine) else None
    return None


def _driver_module(engine: type[BaseDatabaseWrapper]) -> object:
    return getattr(engine, "Database", None)
