"""The upper limits: a constant response from a middleware that does nothing else, and without any framework."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse

from tests.support.sites import Reply

_WSGI = """
def plain(environ, start_response):
    start_response("200 OK", list({headers!r}))
    return [{body!r}]
"""
_ASGI = """
async def plain(scope, receive, send):
    await send({{"type": "http.response.start", "status": 200, "headers": {headers!r}}})
    await send({{"type": "http.response.body", "body": {body!r}}})
"""
_SERVER_HEADERS = ("connection", "date", "server")


class ConstantMiddleware:
    """A middleware that answers every request with the same response."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]) -> None:
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        return self._answer_async() if self.is_async else _answer()

    async def _answer_async(self) -> HttpResponse:
        return _answer()


def _answer() -> HttpResponse:
    return HttpResponse(b'{"status": "healthy"}\n', content_type="application/json")


def callables(reply: Reply) -> dict[str, str]:
    """Return modules for a :class:`tests.support.sites.Site` whose applications answer every request with ``reply``."""
    headers = [(name, value) for name, value in reply.headers.items() if name not in _SERVER_HEADERS]
    encoded = [(name.encode(), value.encode()) for name, value in headers]
    return {
        "site_wsgi": _WSGI.format(headers=headers, body=reply.body),
        "site_asgi": _ASGI.format(headers=encoded, body=reply.body),
    }
