"""URLconfs that mount healthguard, and a page of the project beside it."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, include

from tests.support import adaptors

MakeURLconf = Callable[..., str]
"""``urlconf(*patterns, **attributes)`` makes a URLconf and returns its name."""
Serve = Callable[..., adaptors.Send]
"""``served(urlconf, **settings)`` serves a URLconf and returns a function that sends requests."""
OURS = include("healthguard.urls")
PAGE = b"a page of the project"


def page(request: HttpRequest, **captured: object) -> HttpResponse:
    """Return a page of the project."""
    return HttpResponse(PAGE)


def choose_urlconf(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], object]:
    """Middleware that chooses the URLconf of the setting ``URLCONF_OF_HOST``, as a project does per host."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        request.urlconf = settings.URLCONF_OF_HOST  # type: ignore[misc]
        return get_response(request)

    return middleware


urlpatterns: list[URLPattern] = []
"""This module is also a URLconf without a mount."""
