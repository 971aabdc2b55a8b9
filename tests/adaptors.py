"""The four ways in, as a server calls them: real applications of Django in this process, without a socket."""

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


@dataclasses.dataclass(frozen=True)
class Reply:
    """A response: the HTTP status, the headers by lower-case name, and the body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_json(self) -> bool:
        return self.headers.get("content-type") == "application/json"

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def adaptor(name: str, **settings: Any) -> tuple[override_settings, Callable[..., Reply]]:
    """Return settings to enable, and a function that then asks: ``ask(path, method="GET", host="testserver")``."""
    first = [MIDDLEWARE] if "middleware" in name else []
    override = override_settings(**{"MIDDLEWARE": [*first, *USUAL, *settings.pop("AFTER", [])], **settings})
    ask = _ask_asgi if name.startswith("asgi") else _ask_wsgi(wrapped="wrapper" in name)

    def asked(*arguments: Any, **options: Any) -> Reply:
        with _connections_kept():
            return ask(*arguments, **options)

    return override, asked


@contextlib.contextmanager
def _connections_kept() -> Iterator[None]:
    """Let a request not touch the test's database connections, as Django's own test client does."""
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    try:
        yield
    finally:
        request_started.connect(close_old_connections)
        request_finished.connect(close_old_connections)


def _ask_wsgi(*, wrapped: bool) -> Callable[..., Reply]:
    def ask(path: str, method: str = "GET", *, host: str = "testserver", **environ: str) -> Reply:
        application: Any = WSGIHandler()
        if wrapped:
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

    return ask


def _ask_asgi(path: str, method: str = "GET", *, host: str = "testserver") -> Reply:
    from django.conf import settings

    application: Any = ASGIHandler()
    if MIDDLEWARE not in settings.MIDDLEWARE:
        application = healthguard.asgi.guard(application)
    sent: list[dict[str, Any]] = []
    received = iter([{"type": "http.request", "body": b""}])

    async def receive() -> dict[str, Any]:
        return next(received, None) or await asyncio.Event().wait()  # type: ignore[return-value]

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
