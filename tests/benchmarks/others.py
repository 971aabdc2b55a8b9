"""The cost of the middleware for every other request.

The cost is so small that the difference between requests with and without the middleware is lost in noise. Therefore
the middleware is also timed alone: the layer that it adds to Django's chain of middleware, around a view that does
nothing.
"""

from __future__ import annotations

import asyncio
import io
import time
import timeit
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from wsgiref.util import setup_testing_defaults

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings

from healthguard.middleware import HealthGuardMiddleware
from tests.benchmarks.table import microseconds, table, verdict
from tests.benchmarks.turns import Effort, in_turns

BATCHES_PER_ROUND = 20
REQUESTS_PER_BATCH = 25
MOST_SHARE = 0.01
"""The target: the largest share of the duration of a request without the middleware."""

_PATH = "/bare"
_ALONE = 20_000
_GUARDED = ("healthguard.middleware.HealthGuardMiddleware",)


def measure(effort: Effort) -> str:
    """Return the table of the section."""
    batches = effort.rounds * BATCHES_PER_ROUND
    rows = [
        _row("WSGI", in_turns({"without": _wsgi(()), "with": _wsgi(_GUARDED)}, batches), _layer(_view)),
        _row("ASGI", in_turns({"without": _asgi(()), "with": _asgi(_GUARDED)}, batches), _layer(_async_view)),
    ]
    return table(("µs per request", "without", "with", "difference", "middleware alone", "share", "target", ""), rows)


def _row(name: str, seconds: Mapping[str, Sequence[float]], layer: float) -> tuple[str, ...]:
    # The fastest batch was disturbed least by other work of the machine.
    without, guarded = (min(seconds[key]) for key in ("without", "with"))
    share = layer / without
    return (
        name,
        microseconds(without),
        microseconds(guarded),
        f"{guarded / without - 1:+.1%}",
        microseconds(layer),
        f"{share:.2%}",
        f"{MOST_SHARE:.0%}",
        verdict(is_met=share < MOST_SHARE),
    )


def _wsgi(first: Sequence[str]) -> Callable[[], float]:
    """Return a function that sends a batch of requests to Django's WSGI handler and returns the seconds per request.

    Args:
        first: middleware that is inserted before the project's.
    """
    with override_settings(MIDDLEWARE=[*first, *settings.MIDDLEWARE]):
        handler = WSGIHandler()
    environ: dict[str, Any] = {"PATH_INFO": _PATH, "SERVER_NAME": "127.0.0.1", "wsgi.input": io.BytesIO()}
    setup_testing_defaults(environ)

    def batch() -> float:
        begin = time.perf_counter()
        for _ in range(REQUESTS_PER_BATCH):
            response: Any = handler({**environ}, lambda status, headers, error=None: io.BytesIO().write)
            b"".join(response)
            response.close()
            assert isinstance(response, HttpResponse)
            assert response.status_code == 200
        return (time.perf_counter() - begin) / REQUESTS_PER_BATCH

    return batch


def _asgi(first: Sequence[str]) -> Callable[[], float]:
    """Return a function like that of :func:`_wsgi` that uses Django's ASGI handler."""
    with override_settings(MIDDLEWARE=[*first, *settings.MIDDLEWARE]):
        handler = ASGIHandler()
    scope = {"type": "http", "method": "GET", "path": _PATH, "query_string": b"", "headers": [(b"host", b"127.0.0.1")]}

    async def send_request() -> None:
        messages = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> dict[str, Any]:
            # After the request, the client stays connected and sends nothing.
            return messages.pop() if messages else await asyncio.Future()

        async def send(message: Mapping[str, Any]) -> None:
            assert message.get("status", 200) == 200

        await handler({**scope}, receive, send)

    async def batch() -> float:
        begin = time.perf_counter()
        for _ in range(REQUESTS_PER_BATCH):
            await send_request()
        return (time.perf_counter() - begin) / REQUESTS_PER_BATCH

    return lambda: asyncio.run(batch())


def _view(request: HttpRequest) -> HttpResponse:
    return _RESPONSE


async def _async_view(request: HttpRequest) -> HttpResponse:
    return _RESPONSE


_RESPONSE = HttpResponse()


def _layer(view: Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]) -> float:
    """Return the time that the middleware, and Django's wrapper around it, add to any other request (seconds)."""
    inner = convert_exception_to_response(view)
    outer = convert_exception_to_response(HealthGuardMiddleware(inner))
    seconds = in_turns({"inner": _timed(inner), "outer": _timed(outer)}, 15)
    return min(seconds["outer"]) - min(seconds["inner"])


def _timed(chain: Callable[[HttpRequest], Any]) -> Callable[[], float]:
    request = RequestFactory().get(_PATH)

    def call_async() -> None:
        # The coroutine never suspends, so it runs to its end at once.
        try:
            chain(request).send(None)
        except StopIteration:
            pass

    call = call_async if iscoroutinefunction(chain) else lambda: chain(request)
    return lambda: timeit.timeit(call, number=_ALONE) / _ALONE
