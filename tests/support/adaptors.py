"""The ways in which requests reach healthguard: real Django applications in this process, without a socket."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import override_settings

import healthguard.asgi
import healthguard.wsgi

MIDDLEWARE = "healthguard.middleware.HealthGuardMiddleware"
USUAL = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
NAMES = ("urls", "middleware", "wsgi wrapper", "asgi wrapper", "asgi middleware")
"""The adaptors, and the protocol of the server if that is not WSGI."""


@dataclasses.dataclass(frozen=True)
class Reply:
    """A response.

    Args:
        status: the HTTP status.
        headers: the header values by lower-case name.
        body: the body.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_json(self) -> bool:
        return self.headers.get("content-type") == "application/json"

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Send = Callable[..., Reply]
"""``send(path, method="GET", host="testserver")`` sends a request and returns the response."""


def adaptor(name: str, **settings: Any) -> tuple[override_settings, Send]:
    """Return the settings to enable, and a function that sends requests while they are enabled."""
    first = [MIDDLEWARE] if "middleware" in name else []
    override = override_settings(**{"MIDDLEWARE": [*first, *USUAL, *settings.pop("AFTER", [])], **settings})
    if name.startswith("asgi"):
        handle: Send = _send_to_asgi
    else:
        handle = _wsgi_sender(is_wrapped="wrapper" in name)

    def send(*arguments: Any, **options: Any) -> Reply:
        with _kept_connections():
            return handle(*arguments, **options)

    return override, send


@contextlib.contextmanager
def _kept_connections() -> Iterator[None]:
    """Keep the test's database connections open during a request, as Django's test client does."""
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    try:
        yield
    finally:
        request_started.connect(close_old_connections)
        request_finished.connect(close_old_connections)


def _wsgi_sender(*, is_wrapped: bool) -> Send:
    def send(path: str, method: str = "GET", *, host: str = "testserver", **environ: str) -> Reply:
        application: Any = WSGIHandler()
        if is_wrapped:
            application = healthguard.wsgi.guard(application)
        started: list[Any] = []
        path, _, query = path.partition("?")
        request = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path.encode().decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": host,
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            **environ,
        }
        response = application(request, lambda status, headers, exc_info=None: started.append((status, headers)))
        body = b"".join(response)
        getattr(response, "close", lambda: None)()
        status, headers = started[-1]
        return Reply(int(status.split()[0]), {name.lower(): value for name, value in headers}, body)

    return send


def _send_to_asgi(path: str, method: str = "GET", *, host: str = "testserver") -> Reply:
    from django.conf import settings

    application: Any = ASGIHandler()
    if MIDDLEWARE not in settings.MIDDLEWARE:
        application = healthguard.asgi.guard(application)
    sent: list[dict[str, Any]] = []
    received: list[dict[str, Any]] = [{"type": "http.request", "body": b""}]

    async def receive() -> dict[str, Any]:
        if not received:
            # The client stays connected.
            await asyncio.Event().wait()
        return received.pop()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(b"host", host.encode())],
    }
    asyncio.run(application(scope, receive, send))
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return Reply(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent))
