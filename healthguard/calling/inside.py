"""A call to the project's own application, in this process and without a socket.

So a server with a single worker can be asked about by that worker, which would wait for itself over a socket. What is
called is the real application, with all of its middleware, its signals and its database transactions.
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

from healthguard.calling.answer import MAX_BODY, Answer, TooLateError, acapped, capped
from healthguard.own_connections import is_own

if TYPE_CHECKING:
    import httpx
    from django.db.backends.base.base import BaseDatabaseWrapper

_Message = MutableMapping[str, Any]


async def call_inside(
    method: str, url: httpx.URL, headers: httpx.Headers, content: bytes | None, limit: float
) -> Answer:
    """Call the path ``url``; the caller bounds how long it takes, to ``limit`` (seconds).

    A synchronous application runs on the thread that this check's database connections belong to.
    """
    import httpx

    ends = time.monotonic() + limit
    address = httpx.URL(scheme="https" if settings.SECURE_SSL_REDIRECT else "http", host=_allowed_host())
    request = httpx.Request(method, address.copy_with(raw_path=url.raw_path), headers=headers, content=content)
    try:
        application, is_async = _application()
        if is_async:
            return await _ask_asgi(application, request)
        return await sync_to_async(_ask_wsgi)(application, request, ends)
    except TooLateError:
        raise
    except Exception as error:
        # Django turns the exceptions of views into answers; what comes this far a server turns into a 500.
        return Answer(500, raised=type(error).__name__)


def _allowed_host() -> str:
    """A host that Django does not turn away."""
    for allowed in settings.ALLOWED_HOSTS:
        host, _ = split_domain_port(str(allowed).removeprefix("."))
        if host and host != "*" and validate_host(host, settings.ALLOWED_HOSTS):
            return host
    return "localhost"


def _application() -> tuple[Any, bool]:
    """The application, and whether it is an ASGI one.

    It is the one that this process serves. Where it serves none, in a command, or one that no setting names, it is
    Django's own handler with the project's middleware: to import wsgi.py now would set up Django, and its logging,
    once more.
    """
    named = [(getattr(settings, f"{protocol}_APPLICATION", None), protocol == "ASGI") for protocol in ("WSGI", "ASGI")]
    for path, is_async in named:
        if path and (served := _loaded(path)) is not None:
            return served, is_async
    (wsgi, _), (asgi, _) = named
    if asgi and not wsgi:
        # What such a project puts around Django is nowhere else.
        return import_string(asgi), True
    return _handler(), False


def _loaded(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(sys.modules.get(module), name, None)


@functools.cache
def _handler() -> Any:
    from django.core.handlers.wsgi import WSGIHandler

    return WSGIHandler()


def _forget(**_: object) -> None:
    _handler.cache_clear()


# Middleware reads settings when it is made; only tests change them.
setting_changed.connect(_forget)


def _ask_wsgi(application: Any, request: httpx.Request, ends: float) -> Answer:
    import httpx

    def asked(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            # The transport takes no others, and nobody looks at them.
            return start_response(status, [pair for pair in headers if "".join(pair).isascii()], exc_info)

        # PEP 3333: the bytes of the path, as if they were latin-1.
        environ["PATH_INFO"] = environ["PATH_INFO"].encode().decode("latin-1")
        answered: Iterable[bytes] = application(environ, start)
        return answered

    kept = _keep()
    try:
        response = httpx.WSGITransport(asked, raise_app_exceptions=False).handle_request(request)
        try:
            return Answer(response.status_code, capped(response.iter_raw(), ends=ends), response.headers)
        finally:
            response.close()
    finally:
        _let_go(kept)


async def _ask_asgi(application: Any, request: httpx.Request) -> Answer:
    import httpx

    status = received = 0

    async def asked(scope: _Message, receive: Any, send: Callable[[_Message], Awaitable[None]]) -> None:
        async def counted(message: _Message) -> None:
            nonlocal status, received
            status = message.get("status", status)
            received += len(message.get("body", b""))
            if received > MAX_BODY:
                # As a server does when its client has gone. The transport itself collects whatever comes.
                raise OSError
            await send(message)

        await application(scope, receive, counted)

    kept = await sync_to_async(_keep)()
    try:
        response = await httpx.ASGITransport(asked).handle_async_request(request)
        return Answer(response.status_code, await acapped(response.aiter_raw()), response.headers)
    except Exception:
        if received <= MAX_BODY:
            raise
        return Answer(status)
    finally:
        _let_go(kept)


def _keep() -> list[BaseDatabaseWrapper]:
    """Let the request not close the connections that its caller has open, those of a test for example; those.

    At its start and its end Django closes what is old, or not in autocommit, for then something must be wrong.
    """
    kept = [
        connection
        for connection in connections.all(initialized_only=True)
        if connection.connection is not None and not is_own(connection)
    ]
    for connection in kept:
        connection.close_if_unusable_or_obsolete = lambda: None  # type: ignore[method-assign]
    return kept


def _let_go(kept: Iterable[BaseDatabaseWrapper]) -> None:
    for connection in kept:
        vars(connection).pop("close_if_unusable_or_obsolete", None)
