"""The middleware adaptor: first in the list, it answers before anything can interfere.

Probes come with the pod's address as Host, or none, over plain HTTP and without a session: host validation, the HTTPS
redirect, login-required and atomic requests would each turn them away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from healthguard.mount import mount
from healthguard.respond import Request, respond, respond_async
from healthguard.views import as_response


class HealthGuardMiddleware:
    """Answers the health paths; passes on every other request.

    Args:
        get_response: what follows; if it is a coroutine function, so is this.
    """

    sync_capable = True
    async_capable = True

    def __init__(
        self, get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]
    ) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        place = mount()
        # One comparison, which is all that any other request pays.
        if not request.path_info.startswith(place.prefix):
            return self.get_response(request)
        rest = place.within(request.path_info)
        if rest is None:
            return self.get_response(request)
        asked = Request(
            request.method or "GET",
            rest,
            request.META.get("QUERY_STRING", ""),
            request.META.get("HTTP_AUTHORIZATION", ""),
        )
        if self.is_async:
            return self._answer(asked)
        return as_response(respond(asked, place.problem))

    async def _answer(self, asked: Request) -> HttpResponseBase:
        return as_response(await respond_async(asked, mount().problem))
