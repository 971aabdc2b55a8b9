"""The middleware adaptor. Put first in the list, it answers before any other middleware can interfere.

Probes arrive over plain HTTP, without a session, and with the pod's IP address or nothing as Host. Host validation, the
HTTPS redirect, required logins and atomic requests would each reject them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from healthguard.http.handler import Request, respond, respond_async
from healthguard.http.mount import Mounts, mounts
from healthguard.http.view import as_request, as_response
from healthguard.runtime import log
from healthguard.system_checks.middleware_order import answering_before


class HealthGuardMiddleware:
    """The middleware that answers the health paths and passes on every other request.

    Args:
        get_response: the next middleware or the view. If it is a coroutine function, so is this middleware.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)
        self._warn_if_not_first()

    def _warn_if_not_first(self) -> None:
        """Log a warning about earlier middleware that can answer or reject probes.

        Some middleware inserts itself when the server starts, after the system checks have run.
        """
        own_name = f"{type(self).__module__}.{type(self).__qualname__}"
        earlier = answering_before(list(settings.MIDDLEWARE), own_name)
        if earlier:
            name, effect = earlier[0]
            log.once(
                log.WARNING,
                "%s is listed before healthguard's middleware and can answer or reject probes: it %s. Put "
                "healthguard's middleware first, or wrap the WSGI or ASGI application with healthguard.wsgi.guard() or "
                "healthguard.asgi.guard(), which run before all middleware.",
                name,
                effect,
            )

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer a health request. Any other request costs one comparison of its path, and is passed on."""
        current_mounts = mounts()
        subpath = current_mounts.rest_of(request.path_info)
        if subpath is None:
            return self.get_response(request)
        health_request = as_request(request, subpath)
        if self.is_async:
            return self._respond_async(health_request, current_mounts)
        return as_response(respond(health_request, current_mounts.problem))

    async def _respond_async(self, health_request: Request, current_mounts: Mounts) -> HttpResponseBase:
        return as_response(await respond_async(health_request, current_mounts.problem))
