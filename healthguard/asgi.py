"""The ASGI wrapper. It answers before Django builds a request, which saves nine tenths of the work of an answer.

It also answers the lifespan protocol, with which servers start and end a worker, because Django does not support it.
"""

from __future__ import annotations

import collections
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from django.conf import settings as django_settings

from healthguard.http.handler import Request, respond_async
from healthguard.http.mount import mounts
from healthguard.probes import warm_up_async

if TYPE_CHECKING:
    from asgiref.typing import (
        ASGIReceiveCallable,
        ASGIReceiveEvent,
        ASGISendCallable,
        ASGISendEvent,
        HTTPScope,
        LifespanScope,
        Scope,
    )

ASGIApplication: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
"""An application of ASGI 3. Frameworks and servers describe its arguments with different types."""


def guard(application: ASGIApplication) -> ASGIApplication:
    """Wrap ``application``: ``application = healthguard.asgi.guard(get_asgi_application())``.

    When a worker of a server with lifespan support starts, the services that are due are run before the first request.
    The startup waits for them at most for ``DEADLINE``.
    """

    async def guarded(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "lifespan":
            return await _Lifespan(receive, send).run(application, scope)
        if scope["type"] != "http":
            return await application(scope, receive, send)
        current_mounts = mounts()
        subpath = current_mounts.rest_of(_path_info(scope))
        if subpath is None:
            return await application(scope, receive, send)
        request = Request(scope["method"], subpath, scope["query_string"].decode("latin-1"), _authorization(scope))
        response = await respond_async(request, current_mounts.problem)
        headers = list(response.encoded_headers)
        await send({"type": "http.response.start", "status": response.status, "headers": headers, "trailers": False})
        await send({"type": "http.response.body", "body": response.body, "more_body": False})
        return None

    return guarded


class _Lifespan:
    """The startup and shutdown of one worker: https://asgi.readthedocs.io/en/stable/specs/lifespan.html.

    Args:
        receive: the function that returns the next event of the server.
        send: the function that sends an event to the server.
    """

    def __init__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        self._receive = receive
        self._send = send
        self._received: collections.deque[ASGIReceiveEvent] = collections.deque()
        """The events that the application has received."""
        self._has_sent = False
        """True if the application has sent an event, so that it supports the protocol."""

    async def run(self, application: ASGIApplication, scope: LifespanScope) -> None:
        """Let ``application`` answer the server, and answer for it if it does not support the protocol."""
        try:
            await application(scope, self._receive_for_application, self._send_for_application)
        except Exception:
            if self._has_sent:
                raise
            if self._received:
                # Its own startup may have failed, so the server decides if it goes on. Django raises earlier.
                await warm_up_async()
                raise
        if not self._has_sent:
            await self._answer()

    async def _receive_for_application(self) -> ASGIReceiveEvent:
        event = await self._receive()
        self._received.append(event)
        return event

    async def _send_for_application(self, event: ASGISendEvent) -> None:
        self._has_sent = True
        if event["type"] == "lifespan.startup.complete":
            await warm_up_async()
        await self._send(event)

    async def _answer(self) -> None:
        """Answer the server, beginning with the events that the application has left unanswered."""
        while True:
            event = self._received.popleft() if self._received else await self._receive()
            if event["type"] == "lifespan.startup":
                await warm_up_async()
                await self._send({"type": "lifespan.startup.complete"})
            elif event["type"] == "lifespan.shutdown":
                await self._send({"type": "lifespan.shutdown.complete"})
                return


def _path_info(scope: HTTPScope) -> str:
    """Return the path below the application's mount point, as Django computes it."""
    root = django_settings.FORCE_SCRIPT_NAME or scope.get("root_path", "")
    return scope["path"].removeprefix(root.rstrip("/")) if root else scope["path"]


def _authorization(scope: HTTPScope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return value.decode("latin-1")
    return ""
