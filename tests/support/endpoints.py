"""The endpoints that the tests of HTTP calls use: a project's own, and the same on a server.

This module is the URLconf of the project and contains its ASGI application. It is also a pytest plugin.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path
from pytest_httpserver import HTTPServer

THINGS = {
    "status": "ok",
    "count": 12,
    "ratio": 1.50,
    "ready": True,
    "nothing": None,
    "items": [{"name": "first"}, {"name": "second"}],
    "credentials": {"anthropic": {"api_key": "s3cret-in-the-answer"}},
}
"""The JSON at ``/things``."""
ASGI_APPLICATION = f"{__name__}.application"
"""The dotted path of the project's ASGI application."""

sent_chunks: list[int] = []
"""One entry for each chunk of a body that the ASGI application sent."""


def things(request: HttpRequest) -> HttpResponse:
    return JsonResponse(THINGS)


def echo(request: HttpRequest) -> HttpResponse:
    return JsonResponse(
        {
            "method": request.method,
            "host": request.get_host(),
            "secure": request.is_secure(),
            "agent": request.headers["user-agent"],
            "type": request.headers.get("content-type"),
            "key": request.headers.get("x-api-key"),
            "query": request.GET.get("q"),
            "body": request.body.decode(),
            "path": request.path,
        }
    )


def status(request: HttpRequest, code: int) -> HttpResponse:
    return HttpResponse("s3cret-in-the-answer", status=code)


def boom(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("s3cret-in-the-answer")


slow_may_end = threading.Event()
"""The gate of the view ``slow``."""


def slow(request: HttpRequest) -> HttpResponse:
    assert slow_may_end.wait(600)
    return JsonResponse({})


def database(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"atomic": connection.in_atomic_block, "thread": threading.current_thread().name})


async def asynchronous(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0.01)
    return await sync_to_async(database)(request)


def endless(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(b"x" * 65536 for _ in iter(int, 1))


def torn(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        yield b"{"
        raise RuntimeError("s3cret-in-the-answer")

    return StreamingHttpResponse(parts())


def odd_header(request: HttpRequest) -> HttpResponse:
    return HttpResponse("{}", headers={"X-Odd": "é"})


urlpatterns = [
    path("things", things, name="the-things"),
    path("things/grün", echo),
    path("echo", echo),
    path("status/<int:code>", status),
    path("boom", boom),
    path("slow", slow),
    path("database", database),
    path("async", asynchronous),
    path("endless", endless),
    path("torn", torn),
    path("odd-header", odd_header),
]


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer three paths, as code around Django may do, and pass all other requests to Django."""
    if scope["path"] not in ("/huge", "/torn-off", "/raising"):
        await ASGIHandler()(scope, receive, send)
        return
    if scope["path"] == "/raising":
        raise RuntimeError("s3cret-in-the-answer")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(1000 if scope["path"] == "/huge" else 1):
        sent_chunks.append(1)
        await send({"type": "http.response.body", "body": b" " * 65536, "more_body": True})
    raise RuntimeError("s3cret-in-the-answer")


@pytest.fixture
def endpoint_urls(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use this module as the URLconf, and call servers on this machine without a proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with override_settings(ROOT_URLCONF=__name__):
        yield


@pytest.fixture
def endpoint_server(httpserver: HTTPServer) -> HTTPServer:
    """A server that has ``/things`` as well."""
    httpserver.expect_request("/things").respond_with_json(THINGS)
    return httpserver


@pytest.fixture(params=["wsgi", "asgi"])
def endpoint_protocol(request: pytest.FixtureRequest) -> Iterator[str]:
    """The protocol of the application that the project declares."""
    name = ASGI_APPLICATION if request.param == "asgi" else None
    with override_settings(ASGI_APPLICATION=name):
        yield request.param


@pytest.fixture(params=["wsgi", "asgi", "network"])
def endpoint_url(request: pytest.FixtureRequest, endpoint_server: HTTPServer) -> Iterator[str]:
    """The path or the URL of ``/things``: in this process by each protocol, and on the server."""
    with override_settings(ASGI_APPLICATION=ASGI_APPLICATION if request.param == "asgi" else None):
        yield endpoint_server.url_for("/things") if request.param == "network" else "/things"
