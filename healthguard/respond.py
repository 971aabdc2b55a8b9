"""From a request to an answer, without any framework: method, path, query and headers in; status, headers, body out.

All adaptors stand on it, so that all of them give the same bytes.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import time
import traceback
from http import HTTPStatus
from typing import NamedTuple

from healthguard import log
from healthguard.access import may_see_details
from healthguard.conf import settings
from healthguard.formats.json import CONTENT_TYPE, Detail, render, render_error, render_status
from healthguard.probes import Guard, Probe, Question, UnknownServiceError, guard, is_draining
from healthguard.status import Problem, Status

METHODS = ("GET", "HEAD", "OPTIONS")
"""What is answered, and all alike: HAProxy probes with OPTIONS."""

PROBE_PATHS = {"": Probe.HEALTH, "live": Probe.LIVE, "startup": Probe.STARTUP, "ready": Probe.READY}


class Request(NamedTuple):
    """What of a request counts.

    Args:
        method: the HTTP method, in capitals.
        path: what follows the place where healthguard is mounted, with or without slashes around it.
        query: the query string.
        authorization: the Authorization header; empty where there is none.
    """

    method: str
    path: str
    query: str = ""
    authorization: str = ""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What to send. An answer is held and sent many times, so the forms that servers take it in are made once.

    Args:
        status: the HTTP status code.
        headers: the header lines; Content-Length is that of a GET, also for HEAD.
        body: the body; empty for HEAD.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @functools.cached_property
    def status_line(self) -> str:
        """The status code and its words, as WSGI takes them."""
        return f"{self.status} {HTTPStatus(self.status).phrase}"

    @functools.cached_property
    def encoded_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The header lines, as ASGI takes them."""
        return tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers)


def respond(request: Request, broken: Problem | None = None) -> Answer:
    """Answer ``request``, waiting on the calling thread for what is due.

    Args:
        request: the request.
        broken: what is wrong outside all services, so that no answer can be green.
    """
    try:
        asked = _asked(request, broken)
        if isinstance(asked, Answer):
            return asked
        asked.question.wait()
        return asked.answer()
    except Exception as error:
        return _beyond_words(request, error)


async def respond_async(request: Request, broken: Problem | None = None) -> Answer:
    """The same without blocking the event loop."""
    try:
        asked = _asked(request, broken)
        if isinstance(asked, Answer):
            return asked
        await asked.question.wait_async()
        return asked.answer()
    except Exception as error:
        return _beyond_words(request, error)


@dataclasses.dataclass(frozen=True, slots=True)
class _Held:
    """An answer made ready, and how long it is what a new one would be."""

    answer: Answer
    fresh_until: float
    version: int


@dataclasses.dataclass(frozen=True, slots=True)
class _Asked:
    """A request whose answer waits for a report."""

    request: Request
    path: str
    question: Question
    detail: Detail
    guard: Guard
    may_hold: bool
    is_token_wrong: bool

    def answer(self) -> Answer:
        """The answer, from what is known now."""
        report = self.question.report()
        extra = (_INVALID_TOKEN,) if self.is_token_wrong else ()
        answer = _answer(
            self.request.method, 200 if report.status.is_serving else 503, render(report, self.detail), extra
        )
        if self.may_hold and not report.draining:
            held = _Held(answer, report.fresh_until, report.version)
            self.guard.answers[self.request.method, self.path] = held
        return answer


def _asked(request: Request, broken: Problem | None) -> Answer | _Asked:
    """The answer where it can be given at once, or what to wait for."""
    if request.method not in METHODS:
        body = render_error("method not allowed", f"Use {', '.join(METHODS)}.")
        return _answer(request.method, 405, body, (("Allow", ", ".join(METHODS)),))
    path = request.path.strip("/")
    probe = PROBE_PATHS.get(path, Probe.HEALTH)
    if probe is Probe.LIVE:
        return _LIVE[request.method]
    held_by = guard()
    is_plain = not (request.query or request.authorization or broken)
    if is_plain and (held := _held(held_by, request.method, path, probe)):
        return held
    sees_details = may_see_details(request.authorization)
    fresh = _asks_for_fresh(request.query)
    names = () if path in PROBE_PATHS else tuple(path.split("/"))
    if not sees_details and (fresh or (names and not settings.shows_services)):
        body = render_error("not authorized", "Send 'Authorization: Bearer …' with a token of DETAILS_TOKENS.")
        return _answer(request.method, 401, body, (("WWW-Authenticate", "Bearer"),))
    try:
        question = Question(probe, names, asked=held_by, fresh=fresh, broken=broken)
    except UnknownServiceError:
        known = ", ".join("/".join(service.path) for service in held_by.tree.services())
        body = render_error("no such service", f"Known are: {known}.")
        return _answer(request.method, 404, body)
    detail = Detail.SERVICES if settings.shows_services else Detail.STATUS
    return _Asked(
        request,
        path,
        question,
        Detail.FULL if sees_details else detail,
        held_by,
        # Until the pod is ready, another worker may be first to see that it is.
        may_hold=is_plain and not sees_details and (probe is Probe.HEALTH or question.is_past_startup),
        is_token_wrong=bool(request.authorization) and not sees_details,
    )


def _beyond_words(request: Request, error: Exception) -> Answer:
    """A fault of healthguard's own, or a setting that raises when it is read: not an exception page, and not green."""
    frames = traceback.extract_tb(error.__traceback__)
    place = (frames[-1].filename, frames[-1].lineno) if frames else ("?", 0)
    log.once(log.ERROR, "Could not answer: %s at %s:%s", type(error).__name__, *place)
    return _answer(request.method, 503, render_status(Status.UNHEALTHY))


def _held(guard: Guard, method: str, path: str, probe: Probe) -> Answer | None:
    held = guard.answers.get((method, path))
    if not isinstance(held, _Held) or held.version != guard.runner.version or time.monotonic() >= held.fresh_until:
        return None
    # The file may have come since.
    return None if probe is Probe.READY and is_draining() else held.answer


_FRESH = re.compile(r"(?:^|&)fresh=(?:1|true)(?:&|$)")


def _asks_for_fresh(query: str) -> bool:
    return _FRESH.search(query) is not None


_INVALID_TOKEN = ("WWW-Authenticate", 'Bearer error="invalid_token"')


def _answer(method: str, status: int, body: bytes, extra: tuple[tuple[str, str], ...] = ()) -> Answer:
    headers = (
        ("Content-Type", CONTENT_TYPE),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        *extra,
    )
    return Answer(status, headers, b"" if method == "HEAD" else body)


_LIVE = {method: _answer(method, 200, render_status(Status.HEALTHY)) for method in METHODS}
