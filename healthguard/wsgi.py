"""The WSGI wrapper: answers before Django builds a request, and still when the URLconf cannot be imported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from healthguard.mount import mounts
from healthguard.respond import Request, respond

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def guard(application: WSGIApplication) -> WSGIApplication:
    """Wrap ``application``: ``application = healthguard.wsgi.guard(get_wsgi_application())``."""

    def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        place = mounts()
        rest = place.rest_of(_path(environ.get("PATH_INFO", "")))
        if rest is None:
            return application(environ, start_response)
        answer = respond(
            Request(
                environ["REQUEST_METHOD"],
                rest,
                environ.get("QUERY_STRING", ""),
                environ.get("HTTP_AUTHORIZATION", ""),
            ),
            place.problem,
        )
        start_response(answer.status_line, list(answer.headers))
        return [answer.body]

    return guarded


def _path(path_info: str) -> str:
    """Return the path, whose bytes PATH_INFO carries as Latin-1: see PEP 3333."""
    return path_info if path_info.isascii() else path_info.encode("latin-1", "replace").decode(errors="replace")
