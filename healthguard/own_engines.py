"""Database engines for a run's own connections: opened and closed by Django's engine, with everything else kept."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias, cast

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from healthguard.database_errors import NOT_THE_DRIVERS
from healthguard.driver_limits import bounded, driver_of, limit_statements

Opened: TypeAlias = Callable[[str, Any], None]

_DIRECT_PACKAGES = ("django.", "mysql.connector.django.")
"""The packages whose engines connect by calling the driver."""
_HANDLING = (
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
"""The members that open, close, or directly use the driver's connection. A pooling engine replaces some of them."""
_IGNORED_OPTIONS = frozenset({"pool", "server_side_binding"})
"""Options of Django's own that a run's connection does without.

A pool belongs to the application, and may be exhausted when its database is checked. With parameters bound by the
server, a time limit and its query cannot be sent in one message.
"""


class OwnConnection(BaseDatabaseWrapper):
    """The part that is common to all of a run's own connections."""

    is_direct: ClassVar[bool] = False
    """True if this class connects by calling the driver: only then are the parameters the driver's."""
    has_pool_options: ClassVar[bool] = False
    """True if OPTIONS may hold options of an engine's pool."""
    limit: float
    """The longest time that connecting may take, and that the server may be silent (seconds)."""
    opened: Opened
    """Called with the driver's name and each connection of the driver, before it is used."""

    def get_connection_params(self) -> dict[str, Any]:
        """Return the engine's parameters with limits added, without the options of the engine's pool."""
        params: dict[str, Any] = super().get_connection_params()
        if not self.is_direct:
            return params
        if self.has_pool_options:
            # django-db-geventpool's MAX_CONNS, for example. Drivers have no parameters in capitals.
            params = {name: value for name, value in params.items() if not name.isupper()}
        return bounded(driver_of(self), params, self.limit)

    def get_new_connection(self, conn_params: Any) -> Any:
        """Open a connection that no pool and no other part of the process uses."""
        try:
            connection = super().get_new_connection(conn_params)
        except Exception as error:
            driver: Any = getattr(self, "Database", None)
            if not self.is_direct or isinstance(error, driver.Error | ImproperlyConfigured):
                raise
            # A parameter that the driver does not know, or a file that does not exist: it is raised as the driver's,
            # so that it has one meaning for all checks.
            raise driver.OperationalError(NOT_THE_DRIVERS) from error
        if self.is_direct:
            driver = driver_of(self)
            self.opened(driver, connection)
            limit_statements(driver, connection, self.limit)
        return connection


def own_connection(alias: str, limit: float, opened: Opened) -> OwnConnection:
    """Return a new connection to ``alias`` that is not open yet.

    Args:
        alias: the alias in DATABASES.
        limit: how long connecting may take, and how long the server may be silent (seconds).
        opened: called with the driver's name and each connection of the driver, before it is used.
    """
    declared = connections.settings[alias]
    options = {name: value for name, value in declared["OPTIONS"].items() if name not in _IGNORED_OPTIONS}
    engine = load_backend(declared["ENGINE"]).DatabaseWrapper
    connection = _own_class(engine)({**declared, "OPTIONS": options, "CONN_MAX_AGE": 0}, alias)
    connection.limit, connection.opened = limit, opened
    return connection


@functools.cache
def _own_class(engine: type[BaseDatabaseWrapper]) -> type[OwnConnection]:
    """Return a subclass of ``engine`` for own connections.

    If the engine derives from one that calls the driver, the connection is opened and closed by that one. Whatever else
    the engine adds stays: parameters, cursors, a search path. An engine that only opens connections in its own way, and
    does not close or handle them, has no pool: it adds credentials, for example, and stays as it is.
    """
    direct = _direct_class(engine)
    members: dict[str, Any] = {"__module__": engine.__module__}
    if direct is None:
        return cast("type[OwnConnection]", type(engine.__name__, (OwnConnection, engine), members))
    replaced = {name for name in _HANDLING if getattr(engine, name, None) is not getattr(direct, name, None)}
    if replaced <= {"get_new_connection"}:
        members["is_direct"] = True
        return cast("type[OwnConnection]", type(engine.__name__, (OwnConnection, engine), members))
    handling = {name: inspect.getattr_static(direct, name) for name in _HANDLING if hasattr(direct, name)}

    def close(self: BaseDatabaseWrapper) -> None:
        direct.close(self)
        if self.connection is None:
            # There is nothing left to close, but the engine may have to reset what it stores about the connection.
            engine.close(self)

    if engine.close is not direct.close:
        handling["close"] = close
    opening = type(engine.__name__, (engine,), {**members, **handling})
    members |= {"is_direct": True, "has_pool_options": "get_new_connection" in replaced}
    return cast("type[OwnConnection]", type(engine.__name__, (OwnConnection, opening), members))


def _direct_class(engine: type[BaseDatabaseWrapper]) -> type[BaseDatabaseWrapper] | None:
    """Return the class that ``engine`` derives from and that calls the driver; None if there is none."""
    for base in engine.__mro__:
        if issubclass(base, BaseDatabaseWrapper) and base.__module__.startswith(_DIRECT_PACKAGES):
            connects = base.get_new_connection is not BaseDatabaseWrapper.get_new_connection
            # An engine with another driver opens its connections itself, as over JDBC.
            return base if connects and _driver_module(base) is _driver_module(engine) else None
    return None


def _driver_module(engine: type[BaseDatabaseWrapper]) -> object:
    return getattr(engine, "Database", None)
