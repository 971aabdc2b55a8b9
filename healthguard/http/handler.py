"""The pure function from a request to a response: method, path, query and headers in; status, headers and body out.

All adaptors call it, so all of them send the same bytes.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import time
import traceback
from http import HTTPStatus
from typing import NamedTuple

from healthguard.conf import settings
from healthguard.formats.json import CONTENT_TYPE, Detail, render, render_error, render_status
from healthguard.http.authorization import may_see_details
from healthguard.probes import HealthState, Probe, ProbeEvaluation, UnknownServiceError, get_state, is_draining
from healthguard.runtime import log
from healthguard.status import Problem, Status

METHODS = ("GET", "HEAD", "OPTIONS")
"""The methods that get a health answer. HAProxy probes with OPTIONS."""

PROBE_PATHS = {"": Probe.HEALTH, "live": Probe.LIVE, "startup": Probe.STARTUP, "ready": Probe.READY}

_FRESH = re.compile(r"(?:^|&)fresh=(?:1|true)(?:&|$)")
_INVALID_TOKEN = ("WWW-Authenticate", 'Bearer error="invalid_token"')


class Request(NamedTuple):
    """The parts of an HTTP request that a response depends on.

    Args:
        method: the HTTP method, in capitals.
        path: the part of the path below the mount point, with or without slashes around it.
        query: the query string.
        authorization: the Authorization header; empty if there is none.
    """

    method: str
    path: str
    query: str = ""
    authorization: str = ""


@dataclasses.dataclass(frozen=True)
class Response:
    """An HTTP response. It is cached and sent many times, so its encoded forms are computed once.

    Args:
        status: the HTTP status code.
        headers: the header lines. Content-Length is that of the GET response, even if the method is HEAD.
        body: the body; empty for HEAD.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @functools.cached_property
    def status_line(self) -> str:
        """The status code and its phrase, as WSGI expects them."""
        return f"{self.status} {HTTPStatus(self.status).phrase}"

    @functools.cached_property
    def encoded_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The header lines, as ASGI expects them."""
        return tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers)


def respond(request: Request, broken: Problem | None = None) -> Response:
    """Return the response, waiting on the calling thread for the runs that are due.

    Args:
        request: the request.
        broken: a problem outside all services that makes every answer unhealthy.
    """
    try:
        routed = _route(request, broken)
        if isinstance(routed, Response):
            return routed
        routed.evaluation.wait()
        return routed.response()
    except Exception as error:
        return _internal_error(request, error)


async def respond_async(request: Request, broken: Problem | None = None) -> Response:
    """Return the response without blocking the event loop. Takes the arguments of :func:`respond`."""
    try:
        routed = _route(request, broken)
        if isinstance(routed, Response):
            return routed
        await routed.evaluation.wait_async()
        return routed.response()
    except Exception as error:
        return _internal_error(request, error)


@dataclasses.dataclass(frozen=True, slots=True)
class _CachedResponse:
    """A response, and until when it may be sent again (``time.monotonic()`` seconds)."""

    response: Response
    fresh_until: float
    version: object


@dataclasses.dataclass(frozen=True, slots=True)
class _PendingResponse:
    """A request that waits for its report."""

    request: Request
    path: str
    evaluation: ProbeEvaluation
    detail: Detail
    state: HealthState
    is_cacheable: bool
    is_token_wrong: bool

    def response(self) -> Response:
        """Return the response for the current report, and cache it if allowed."""
        report = self.evaluation.report()
        extra = (_INVALID_TOKEN,) if self.is_token_wrong else ()
        status = 200 if report.status.is_serving else 503
        response = _response(self.request.method, status, render(report, self.detail), extra)
        if self.is_cacheable and not report.draining:
            cached = _CachedResponse(response, report.fresh_until, report.version)
            self.state.response_cache[self.request.method, self.path] = cached
        return response


def _route(request: Request, broken: Problem | None) -> Response | _PendingResponse:
    """Return the response if it needs no report; otherwise the request that waits for one."""
    if request.method not in METHODS:
        body = render_error("method not allowed", f"Use {', '.join(METHODS)}.")
        return _response(request.method, 405, body, (("Allow", ", ".join(METHODS)),))
    path = request.path.strip("/")
    probe = PROBE_PATHS.get(path, Probe.HEALTH)
    if probe is Probe.LIVE:
        return _LIVE[request.method]
    state = get_state()
    is_plain = not (request.query or request.authorization or broken)
    if is_plain and (cached := _cached(state, request.method, path, probe)):
        return cached
    sees_details = may_see_details(request.authorization)
    fresh = _FRESH.search(request.query) is not None
    names = () if path in PROBE_PATHS else tuple(path.split("/"))
    if not sees_details and (fresh or (names and not settings.shows_services)):
        body = render_error("not authorized", "Send 'Authorization: Bearer …' with a token of DETAILS_TOKENS.")
        return _response(request.method, 401, body, (("WWW-Authenticate", "Bearer"),))
    try:
        evaluation = ProbeEvaluation(probe, names, state=state, fresh=fresh, broken=broken)
    except UnknownServiceError:
        known = ", ".join("/".join(service.path) for service in state.tree.services())
        return _response(request.method, 404, render_error("no such service", f"Known services: {known}."))
    detail = Detail.SERVICES if settings.shows_services else Detail.STATUS
    return _PendingResponse(
        request,
        path,
        evaluation,
        Detail.FULL if sees_details else detail,
        state,
        # Until the startup latch is set, another worker may set it at any moment.
        is_cacheable=is_plain and not sees_details and (probe is Probe.HEALTH or evaluation.is_past_startup),
        is_token_wrong=bool(request.authorization) and not sees_details,
    )


def _cached(state: HealthState, method: str, path: str, probe: Probe) -> Response | None:
    """Return the cached response, or None if there is none or it may have changed."""
    cached = state.response_cache.get((method, path))
    if not isinstance(cached, _CachedResponse) or cached.version != state.runner.version:
        return None
    # DRAIN_FILE may have been created since.
    if time.monotonic() >= cached.fresh_until or (probe is Probe.READY and is_draining()):
        return None
    return cached.response


def _internal_error(request: Request, error: Exception) -> Response:
    """Return 503 for a defect of healthguard, or for a setting that raises when it is read."""
    frames = traceback.extract_tb(error.__traceback__)
    location = (frames[-1].filename, frames[-1].lineno) if frames else ("?", 0)
    log.once(
        log.ERROR,
        "A health request was answered with 503, because healthguard raised %s at %s:%s.",
        type(error).__name__,
        *location,
    )
    return _response(request.method, 503, render_status(Status.UNHEALTHY))


def _response(method: str, status: int, body: bytes, extra: tuple[tuple[str, str], ...] = ()) -> Response:
    headers = (
        ("Content-Type", CONTENT_TYPE),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        *extra,
    )
    return Response(status, headers, b"" if method == "HEAD" else body)


_LIVE = {method: _response(method, 200, render_status(Status.HEALTHY)) for method in METHODS}
