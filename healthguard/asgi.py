"""The ASGI wrapper: answers before Django builds a request, which is nine tenths of the work of an answer there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings as django_settings

from healthguard.mount import mounts
from healthguard.respond import Request, respond_async

if TYPE_CHECKING:
    from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope


def guard(application: ASGI3Application) -> ASGI3Application:
    """Wrap ``application``: ``application = healthguard.asgi.guard(get_asgi_application())``."""

    async def guarded(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http":
            return await application(scope, receive, send)
        place = mounts()
        rest = place.rest_of(_path_info(scope))
        if rest is None:
            return await application(scope, receive, send)
        request = Request(scope["method"], rest, scope["query_string"].decode("latin-1"), _authorization(scope))
        answer = await respond_async(request, place.problem)
        headers = list(answer.encoded_headers)
        await send({"type": "http.response.start", "status": answer.status, "headers": headers, "trailers": False})
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})
        return None

    return guarded


def _path_info(scope: HTTPScope) -> str:
    """What of the path follows the place where the application is mounted, as Django takes it."""
    root = django_settings.FORCE_SCRIPT_NAME or scope.get("root_path", "")
    return scope["path"].removeprefix(root.rstrip("/")) if root else scope["path"]


def _authorization(scope: HTTPScope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return value.decode("latin-1")
    return ""
