"""A call to the project's own application, in this process and without a socket.

Therefore the only worker of a server can make the call; over a socket, it would wait for itself. The call goes to the
real application, with all of its middleware, its signals and its database transactions.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.signals import setting_changed
from django.db import connections
from django.http.request import split_domain_port, validate_host
from django.utils.module_loading import import_string

from healthguard.database.run_connections import is_run_connection
from healthguard.http_client.response import (
    MAX_BODY,
    DeadlineError,
    EndpointResponse,
    read_limited,
    read_limited_async,
)

if TYPE_CHECKING:
    import httpx
    from django.db.backends.base.base import BaseDatabaseWrapper

_Message = MutableMapping[str, Any]


async def call_in_process(
    method: str, url: httpx.URL, headers: httpx.Headers, content: bytes | None, limit: float
) -> EndpointResponse:
    """Call the path of ``url`` and return the response; the caller limits the duration to ``limit`` (seconds).

    A synchronous application runs on the thread that owns the database connections of this check.

    Raises:
        DeadlineError: the body of the response continues after the limit.
    """
    import httpx

    deadline = time.monotonic() + limit
    address = httpx.URL(scheme="https" if settings.SECURE_SSL_REDIRECT else "http", host=_allowed_host())
    request = httpx.Request(method, address.copy_with(raw_path=url.raw_path), headers=headers, content=content)
    try:
        application, is_async = _application()
        if is_async:
            return await _call_asgi(application, request)
        return await sync_to_async(_call_wsgi)(application, request, deadline)
    except DeadlineError:
        raise
    except Exception as error:
        # Django turns the exceptions of views into responses. A server turns any other exception into a 500.
        return EndpointResponse(500, raised=type(error).__name__)


def _allowed_host() -> str:
    """Return a host name that ALLOWED_HOSTS accepts."""
    for allowed in settings.ALLOWED_HOSTS:
        host, _ = split_domain_port(str(allowed).removeprefix("."))
        if host and host != "*" and validate_host(host, settings.ALLOWED_HOSTS):
            return host
    return "localhost"


def _application() -> tuple[Any, bool]:
    """Return the application, and True if it is an ASGI application.

    It is the application that this process serves. If the process serves none, as in a command, or one that no setting
    names, it is Django's own handler with the project's middleware: importing wsgi.py now would set up Django, and its
    logging, a second time.
    """
    declared = [
        (getattr(settings, f"{protocol}_APPLICATION", None), protocol == "ASGI") for protocol in ("WSGI", "ASGI")
    ]
    for path, is_async in declared:
        if path and (application := _imported(path)) is not None:
            return application, is_async
    (wsgi, _), (asgi, _) = declared
    if asgi and not wsgi:
        # Only this module has what such a project wraps around Django.
        return import_string(asgi), True
    return _handler(), False


def _imported(path: str) -> Any:
    """Return the object at a dotted path, or None if its module has not been imported yet."""
    module, _, name = path.rpartition(".")
    return getattr(sys.modules.get(module), name, None)


@functools.cache
def _handler() -> Any:
    from django.core.handlers.wsgi import WSGIHandler

    return WSGIHandler()


def _reset_application(**_: object) -> None:
    _handler.cache_clear()


# Middleware reads settings when it is created. Only tests change settings after that.
setting_changed.connect(_reset_application)


def _call_wsgi(application: Any, request: httpx.Request, deadline: float) -> EndpointResponse:
    import httpx

    def wsgi_application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            # The transport accepts only ASCII header lines. The others are not needed.
            return start_response(status, [pair for pair in headers if "".join(pair).isascii()], exc_info)

        # PEP 3333: the bytes of the path, decoded as latin-1.
        environ["PATH_INFO"] = environ["PATH_INFO"].encode().decode("latin-1")
        body: Iterable[bytes] = application(environ, start)
        return body

    kept_open = _keep_connections_open()
    try:
        response = httpx.WSGITransport(wsgi_application, raise_app_exceptions=False).handle_request(request)
        try:
            content = read_limited(response.iter_raw(), deadline=deadline)
            return EndpointResponse(response.status_code, content, response.headers)
        finally:
            response.close()
    finally:
        _allow_closing(kept_open)


async def _call_asgi(application: Any, request: httpx.Request) -> EndpointResponse:
    import httpx

    status = received = 0

    async def asgi_application(scope: _Message, receive: Any, send: Callable[[_Message], Awaitable[None]]) -> None:
        async def send_limited(message: _Message) -> None:
            nonlocal status, received
            status = message.get("status", status)
            received += len(message.get("body", b""))
            if received > MAX_BODY:
                # A server does the same when its client has disconnected. The transport itself reads without a limit.
                raise OSError
            await send(message)

        await application(scope, receive, send_limited)

    kept_open = await sync_to_async(_keep_connections_open)()
    try:
        response = await httpx.ASGITransport(asgi_application).handle_async_request(request)
        content = await read_limited_async(response.aiter_raw())
        return EndpointResponse(response.status_code, content, response.headers)
    except Exception:
        if received <= MAX_BODY:
            raise
        return EndpointResponse(status)
    finally:
        _allow_closing(kept_open)


def _keep_connections_open() -> list[BaseDatabaseWrapper]:
    """Keep the request from closing its caller's open connections, such as those of a test, and return them.

    At the start and the end of a request Django closes connections that are old or not in autocommit mode, because
    normally such a connection is a sign of an error.
    """
    kept_open = [
        connection
        for connection in connections.all(initialized_only=True)
        if connection.connection is not None and not is_run_connection(connection)
    ]
    for connection in kept_open:
        connection.close_if_unusable_or_obsolete = lambda: None  # type: ignore[method-assign]
    return kept_open


def _allow_closing(kept_open: Iterable[BaseDatabaseWrapper]) -> None:
    for connection in kept_open:
        vars(connection).pop("close_if_unusable_or_obsolete", None)
