"""Thousands of probes leak nothing, and random or malformed requests are answered as documented."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import json
import socket
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any, TypeAlias

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import healthguard.asgi
import healthguard.wsgi
from tests.faults import provider as behaviors
from tests.faults.fixture_types import Dependencies, SetBehavior, SetFault
from tests.faults.load import Load, probe
from tests.faults.outcomes import Table, milliseconds
from tests.faults.pods import SLACK, TIMEOUT, TTL, Fleet, Pod, is_healthy
from tests.support.amounts import TRIES_ALL, some_of
from tests.support.fixture_types import Declare
from tests.support.sites import PATIENCE, Server, Site, wait_until

PROBES, CONNECTIONS, FIRST = some_of(3_500), 50, some_of(1_000)
"""The probes of each of three servers, in CI ten thousand in total. The memory after the first thousand is the base."""
LOAD = Table(
    "load",
    ("server", "probes", "answers", "p99", "slowest", "additional threads", "connections left", "additional memory"),
    stable=3,
    name=1,
)
STATUSES = {200, 401, 404, 405, 503}
"""The documented status codes."""
FAULTY = {"database": "unhealthy", "anthropic": "degraded", "faulty": "unhealthy"}
"""The statuses of the services that are affected by the faults."""


@contextlib.contextmanager
def several_faults(dependencies: Dependencies, set_fault: SetFault, set_behavior: SetBehavior) -> Iterator[None]:
    """Freeze the database, silence a provider and let a check hang."""
    silent = set_behavior(behaviors.stay_silent, dependencies.anthropic)
    with dependencies.cluster.frozen(), silent, set_fault("sleep"):
        yield


def has_threads(pod: Pod, most: int) -> bool:
    """Return True if the pod has at most ``most`` threads."""
    return pod.server.threads() <= most


@pytest.mark.timeout(600)
def test_thousands_of_probes_under_faults_leak_nothing(
    healthy_fleet: Fleet, dependencies: Dependencies, set_fault: SetFault, set_behavior: SetBehavior
) -> None:
    """Threads, connections and memory do not grow while a database is frozen, a provider silent and a check hangs."""
    open_before = dependencies.cluster.connections()
    rows: list[tuple[Pod, Load, int, int]] = []
    with several_faults(dependencies, set_fault, set_behavior):
        for pod in [pod for pod in healthy_fleet if pod.name != "gunicorn --preload"]:
            # The status of a pod that was not probed for a minute would be "unknown".
            pod.watch(TTL + TIMEOUT + SLACK, lambda response: FAULTY.items() <= response.services.items())
            last = pod.get()
            probe(pod.server.port, "/api/health", FIRST, CONNECTIONS)
            threads, memory = pod.server.threads(), pod.server.memory()
            load = probe(pod.server.port, "/api/health", PROBES - FIRST, CONNECTIONS)
            assert sum(load.responses.values()) == PROBES - FIRST
            for status, body in load.responses:
                services = json.loads(body)["services"]
                assert status == 503
                assert services.items() >= {**FAULTY, "fine": "healthy"}.items()
            more = pod.server.memory() - memory
            # Under ASGI, Django has a thread for each request, which ends a moment later. A run of each service may be
            # in flight at one of the two moments.
            wait_until(functools.partial(has_threads, pod, threads + len(last.services)))
            assert more < 8 * 1024 * 1024
            rows.append((pod, load, pod.server.threads() - threads, more))
    for responses in healthy_fleet.each(lambda pod: pod.watch(TTL + TIMEOUT + SLACK, is_healthy)):
        assert is_healthy(responses[-1])
    activity = "SELECT state, query, backend_start, now() FROM pg_stat_activity"
    wait_until(
        lambda: dependencies.cluster.connections() <= open_before, lambda: dependencies.cluster.execute(activity)
    )
    left = dependencies.cluster.connections() - open_before
    if not TRIES_ALL:
        return
    for pod, load, threads, more in rows:
        measured = (milliseconds(load.p99), milliseconds(load.slowest), f"+{max(threads, 0)}")
        LOAD.publish(
            (
                pod.name,
                f"{PROBES}",
                "503",
                *measured,
                f"{max(left, 0)}",
                f"+{max(more, 0) / 1048576:.1f} MB",
            )
        )


# ---- random and malformed requests

SERVICES = """
ALLOWED_HOSTS = ["*"]
HEALTHGUARD = {"SERVICES": {
    "fine": Service("tests.support.strange_checks.Fine", ttl=600),
    "ai": {"one": Service("tests.support.strange_checks.Fine", ttl=600)},
}, "DETAILS_TOKENS": ["requests-token-0123456789"]}
"""
TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
methods = st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "TRACE", "get"]) | st.text(
    TOKEN, min_size=1, max_size=20
)
# A request line may contain anything but blanks and control characters.
urls = st.binary(max_size=60).map(lambda raw: bytes(byte for byte in raw if 0x21 <= byte <= 0x7E and byte != 0x23))
paths = st.sampled_from([b"", b"/", b"/live", b"/ready", b"/startup", b"/fine", b"/ai/one", b"/ai", b"/%00", b"//"]) | (
    urls.map(lambda raw: b"/" + raw.replace(b"?", b""))
)
queries = st.sampled_from([b"", b"?fresh=1", b"?fresh=%31", b"?fresh", b"?format=html", b"?&&=&=;fresh=1"]) | (
    urls.map(lambda raw: b"?" + raw)
)
# The server itself acts on these headers.
SERVERS_OWN = {"content-length", "transfer-encoding", "connection", "upgrade", "expect", "host", "trailer", "te"}
names = st.sampled_from(["Accept", "Authorization", "Cookie", "X-Forwarded-Proto", "Range", "If-None-Match"]) | (
    st.text(TOKEN, min_size=1, max_size=20).filter(lambda name: name.lower() not in SERVERS_OWN)
)
values = st.sampled_from(
    ["*/*", "*", "text/html", "application/json;q=x", "image/png", "Bearer ", "Bearer \xe9", "Basic =", "bytes=0-1"]
) | st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60)
headers = st.lists(st.tuples(names, values), max_size=5)


@pytest.fixture(
    scope="module",
    params=[
        ("gunicorn-sync", "urls"),
        ("gunicorn-gthread", "middleware"),
        ("uvicorn", "middleware"),
        ("uvicorn", "wrapper"),
    ],
    ids="-".join,
)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The servers that receive the requests."""
    kind, adaptor = request.param
    site = Site(tmp_path_factory.mktemp("site")).write(SERVICES, adaptor=adaptor)
    yield site.serve(kind)
    site.stop()


def send(server: Server, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send a request, and return the status, headers and body of the response; status 0 if there is none."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        content = b""
        try:
            connection.sendall(request)
            while chunk := connection.recv(65536):
                content += chunk
        except ConnectionError:
            # The server has refused the rest of the request.
            pass
    head, _, body = content.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100 "):
        head, _, body = body.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if len(lines[0].split()) < 2:
        return 0, {}, body
    received = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    return int(lines[0].split()[1]), received, body


def is_documented(status: int, received: dict[str, str], method: str, body: bytes) -> bool:
    """Return True for a documented response of healthguard, and for the server's own refusal of the request."""
    if received.get("content-type") != "application/json":
        return status in (0, 400, 414, 431, 501, 505)
    return status in STATUSES and (not body if method == "HEAD" else bool(json.loads(body)))


@given(method=methods, path=paths, query=queries, headers=headers)
@example(method="GET", path=b"/live", query=b"?" + b"&fresh" * 9000, headers=[])
@example(method="GET", path=b"/" + b"a/" * 4000, query=b"", headers=[])
@settings(max_examples=some_of(150), deadline=None, suppress_health_check=list(HealthCheck))
def test_random_request_is_answered_as_documented(
    server: Server, method: str, path: bytes, query: bytes, headers: list[tuple[str, str]]
) -> None:
    lines = [f"{name}: {value}".encode("latin-1") for name, value in headers]
    start = method.encode() + b" /api/health" + path + query + b" HTTP/1.1"
    request = b"\r\n".join([start, b"Host: example.com", b"Connection: close", *lines, b"", b""])
    status, received, body = send(server, request)
    assert is_documented(status, received, method, body), (status, received, body)


@pytest.mark.parametrize("name", ["X-Large", "Authorization", "Accept", "Cookie"])
def test_header_of_a_megabyte_is_answered_or_refused(server: Server, name: str) -> None:
    line = f"{name}: {'x' * 1048576}".encode()
    request = b"\r\n".join([b"GET /api/health HTTP/1.1", b"Host: example.com", b"Connection: close", line, b"", b""])
    status, received, body = send(server, request)
    assert is_documented(status, received, "GET", body), (status, received, body)
    assert server.get(host="example.com").status == 200


@pytest.mark.parametrize(
    "head",
    [
        b"POST /api/health HTTP/1.1\r\nContent-Length: 10\r\n",
        b"POST /api/health HTTP/1.1\r\nTransfer-Encoding: chunked\r\n",
        b"GET /api/health HTTP/1.1\r\nContent-Length: -1\r\n",
        b"GET /api/health HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"GET /api/health HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n",
        b"GET /api/health HTTP/1.1\r\nUpgrade: websocket\r\n",
        b"GET /api/health HTTP/9.9\r\n",
        b"GET  /api/health HTTP/1.1\r\n",
        b"GET /api/health\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
    ],
)
def test_malformed_request_is_answered_or_refused(server: Server, head: bytes) -> None:
    status, received, body = send(server, head + b"Host: example.com\r\nConnection: close\r\n\r\n" + b"0\r\n\r\n12345")
    assert is_documented(status, received, "GET", body), (status, received, body)
    assert server.get(host="example.com").status == 200


# ---- the same without a server, which would refuse some of the requests

WSGI: TypeAlias = Callable[..., Iterable[bytes]]
ASGI: TypeAlias = Callable[..., Coroutine[Any, Any, None]]

anything = st.text(st.characters(max_codepoint=0xFF), max_size=60)


@pytest.fixture(params=["wrapper", "middleware"])
def wsgi(request: pytest.FixtureRequest, healthguard_settings: Declare) -> WSGI:
    """The WSGI application of a site, with the wrapper or with the middleware."""
    healthguard_settings(
        {"fine": "tests.support.strange_checks.Fine", "ai": {"one": "tests.support.strange_checks.Fine"}}
    )
    # The stubs of Django do not declare that a response is iterable.
    handler: Any = WSGIHandler()
    application: WSGI = healthguard.wsgi.guard(handler) if request.param == "wrapper" else handler
    return application


@pytest.mark.django_db
@given(method=anything, path=anything, query=anything, authorization=anything, accept=anything)
@settings(max_examples=some_of(300), deadline=None, suppress_health_check=list(HealthCheck))
def test_random_wsgi_environ_is_answered_as_documented(
    wsgi: WSGI, method: str, path: str, query: str, authorization: str, accept: str
) -> None:
    statuses: list[str] = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": f"/api/health/{path}",
        "QUERY_STRING": query,
        "HTTP_AUTHORIZATION": authorization,
        "HTTP_ACCEPT": accept,
        "SERVER_NAME": "x",
        "SERVER_PORT": "80",
        "wsgi.input": io.BytesIO(),
        "wsgi.url_scheme": "http",
    }
    body = b"".join(wsgi(environ, lambda status, headers, exc_info=None: statuses.append(status)))
    assert int(statuses[0].split()[0]) in STATUSES
    if method != "HEAD":
        assert json.loads(body)


@pytest.fixture(params=["wrapper", "middleware"])
def asgi(request: pytest.FixtureRequest, healthguard_settings: Declare) -> ASGI:
    """The ASGI application of a site, with the wrapper or with the middleware."""
    healthguard_settings(
        {"fine": "tests.support.strange_checks.Fine", "ai": {"one": "tests.support.strange_checks.Fine"}}
    )
    # The stubs of Django do not use the types of asgiref.
    handler: Any = ASGIHandler()
    guarded: Any = healthguard.asgi.guard(handler)
    application: ASGI = guarded if request.param == "wrapper" else handler
    return application


# No server accepts bytes outside of ASCII in a query, and Django refuses them before it calls any middleware.
plain = st.text(st.characters(max_codepoint=0x7F), max_size=60).map(str.encode)


@pytest.mark.django_db
@given(method=anything, path=st.text(max_size=60), query=plain, value=st.binary(max_size=60))
@settings(max_examples=some_of(300), deadline=None, suppress_health_check=list(HealthCheck))
def test_random_asgi_scope_is_answered_as_documented(
    asgi: ASGI, method: str, path: str, query: bytes, value: bytes
) -> None:
    sent: list[dict[str, Any]] = []

    received = iter([{"type": "http.request", "body": b""}])

    async def receive() -> object:
        # After the body, the client stays connected and sends nothing.
        return next(received, None) or await asyncio.Event().wait()

    async def send_(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": f"/api/health/{path}",
        "query_string": query,
        "headers": [(b"authorization", value), (b"accept", value), (value, value)],
    }
    asyncio.run(asgi(scope, receive, send_))
    assert sent[0]["status"] in STATUSES
    if method != "HEAD":
        assert json.loads(b"".join(message.get("body", b"") for message in sent))
