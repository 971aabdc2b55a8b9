"""The limits: a constant answer from a middleware that does nothing else, and from no framework at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse

from tests.sites import Reply

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
_OF_THE_SERVER = ("connection", "date", "server")


class ConstantMiddleware:
    """Answers everything."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]) -> None:
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        return self._awaited() if self.is_async else _answer()

    async def _awaited(self) -> HttpResponse:
        return _answer()


def _answer() -> HttpResponse:
    return HttpResponse(b'{"status": "healthy"}\n', content_type="application/json")


def callables(reply: Reply) -> dict[str, str]:
    """Modules for a :class:`tests.sites.Site` whose applications give the same answer as ``reply``, always."""
    headers = [(name, value) for name, value in reply.headers.items() if name not in _OF_THE_SERVER]
    encoded = [(name.encode(), value.encode()) for name, value in headers]
    return {
        "site_wsgi": _WSGI.format(headers=headers, body=reply.body),
        "site_asgi": _ASGI.format(headers=encoded, body=reply.body),
    }
