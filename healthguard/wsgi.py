"""The WSGI wrapper. It answers before Django builds a request, even if the URLconf cannot be imported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from healthguard.http.handler import Request, respond
from healthguard.http.mount import mounts

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def guard(application: WSGIApplication) -> WSGIApplication:
    """Wrap ``application``: ``application = healthguard.wsgi.guard(get_wsgi_application())``."""

    def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        current_mounts = mounts()
        subpath = current_mounts.rest_of(_path(environ.get("PATH_INFO", "")))
        if subpath is None:
            return application(environ, start_response)
        response = respond(
            Request(
                environ["REQUEST_METHOD"],
                subpath,
                environ.get("QUERY_STRING", ""),
                environ.get("HTTP_AUTHORIZATION", ""),
            ),
            current_mounts.problem,
        )
        start_response(response.status_line, list(response.headers))
        return [response.body]

    return guarded


def _path(path_info: str) -> str:
    """Return the path. PATH_INFO contains its bytes, decoded as Latin-1; see PEP 3333."""
    return path_info if path_info.isascii() else path_info.encode("latin-1", "replace").decode(errors="replace")
