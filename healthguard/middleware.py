"""The middleware adaptor: first in the list, it answers before anything can interfere.

Probes come with the pod's address as Host, or none, over plain HTTP and without a session: host validation, the HTTPS
redirect, login-required and atomic requests would each turn them away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from healthguard import log
from healthguard.middleware_order import answering_before
from healthguard.mount import Mounts, mounts
from healthguard.respond import Request, respond, respond_async
from healthguard.views import as_request, as_response


class HealthGuardMiddleware:
    """Answers the health paths; passes on every other request.

    Args:
        get_response: what follows; if it is a coroutine function, so is this.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)
        self._warn_if_turned_away()

    def _warn_if_turned_away(self) -> None:
        """Log a warning about what can turn probes away: some middleware inserts itself when the server starts."""
        own = f"{type(self).__module__}.{type(self).__qualname__}"
        found = answering_before(list(settings.MIDDLEWARE), own)
        if found:
            name, what = found[0]
            log.once(
                log.WARNING,
                "%s stands before healthguard's middleware and can turn probes away: it %s. Put healthguard's "
                "middleware first, or wrap the WSGI or ASGI application with healthguard: nothing can get before that.",
                name,
                what,
            )

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer, or pass on; any other request pays for one comparison of its path."""
        place = mounts()
        rest = place.rest_of(request.path_info)
        if rest is None:
            return self.get_response(request)
        asked = as_request(request, rest)
        return self._answer(asked, place) if self.is_async else as_response(respond(asked, place.problem))

    async def _answer(self, asked: Request, place: Mounts) -> HttpResponseBase:
        return as_response(await respond_async(asked, place.problem))
