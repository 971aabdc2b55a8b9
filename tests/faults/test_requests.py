"""Requests without number and requests without sense: neither costs more than an answer."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import socket
from collections.abc import Iterator

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import healthguard.asgi
import healthguard.wsgi
from tests.faults import provider as behaviours
from tests.faults.load import probe
from tests.faults.outcomes import Table, milliseconds
from tests.faults.pods import SLACK, TIMEOUT, TTL, Fleet, is_well
from tests.sites import PATIENCE, Server, Site, wait_until

PROBES, CONNECTIONS, FIRST = 3_350, 50, 1_000
"""The probes of each of three servers, ten thousand in all. Memory is compared from the first thousand on."""
LOAD = Table(
    "load",
    ("server", "probes", "answers", "p99", "slowest", "more threads", "connections left", "more memory"),
    stable=3,
    name=1,
)
ANSWERS = {200, 401, 403, 404, 405, 406, 503}
FAULTY = {"database": "unhealthy", "anthropic": "degraded", "faulty": "unhealthy"}
"""The services that report the faults during which the probes are sent."""


@contextlib.contextmanager
def several_faults(surroundings, set_fault, behave) -> Iterator[None]:
    with surroundings.cluster.frozen(), behave(behaviours.silent, surroundings.anthropic), set_fault("sleep"):
        yield


@pytest.mark.timeout(600)
def test_ten_thousand_probes_from_fifty_connections(well: Fleet, surroundings, set_fault, behave) -> None:
    """Threads, connections and memory do not grow, while a database is frozen, a provider silent and a check hangs."""
    open_before = surroundings.cluster.connections()
    rows = []
    with several_faults(surroundings, set_fault, behave):
        for pod in [pod for pod in well if pod.name != "gunicorn --preload"]:
            # Not "unknown", which a pod tells that nobody has asked for a minute.
            pod.watch(TTL + TIMEOUT + SLACK, lambda answer: FAULTY.items() <= answer.services.items())
            told = pod.ask()
            probe(pod.server.port, "/api/health", FIRST, CONNECTIONS)
            threads, memory = pod.server.threads(), pod.server.memory()
            load = probe(pod.server.port, "/api/health", PROBES - FIRST, CONNECTIONS)
            assert sum(load.answers.values()) == PROBES - FIRST
            for got, body in load.answers:
                services = json.loads(body)["services"]
                assert got == 503
                assert services.items() >= {**FAULTY, "fine": "healthy"}.items()
            more = pod.server.memory() - memory
            # Django has a thread for each request under ASGI, which ends a moment later; and one run of each service
            # may be under way at the one moment and not at the other.
            most = threads + len(told.services)
            wait_until(lambda pod=pod, most=most: pod.server.threads() <= most)
            assert more < 8 * 1024 * 1024
            rows.append((pod, load, pod.server.threads() - threads, more))
    for answers in well.each(lambda pod: pod.watch(TTL + TIMEOUT + SLACK, is_well)):
        assert is_well(answers[-1])
    activity = "SELECT state, query, backend_start, now() FROM pg_stat_activity"
    wait_until(
        lambda: surroundings.cluster.connections() <= open_before, lambda: surroundings.cluster.execute(activity)
    )
    left = surroundings.cluster.connections() - open_before
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


# ---- requests without sense

SERVICES = """
ALLOWED_HOSTS = ["*"]
HEALTHGUARD = {"SERVICES": {
    "fine": Service("tests.strange_checks.Fine", ttl=600),
    "ai": {"one": Service("tests.strange_checks.Fine", ttl=600)},
}, "DETAILS_TOKENS": ["requests-token-0123456789"]}
"""
TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
methods = st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "TRACE", "get"]) | st.text(
    TOKEN, min_size=1, max_size=20
)
# What may stand in a request line: anything but blanks and control characters.
urls = st.binary(max_size=60).map(lambda raw: bytes(byte for byte in raw if 0x21 <= byte <= 0x7E and byte != 0x23))
paths = st.sampled_from([b"", b"/", b"/live", b"/ready", b"/startup", b"/fine", b"/ai/one", b"/ai", b"/%00", b"//"]) | (
    urls.map(lambda raw: b"/" + raw.replace(b"?", b""))
)
queries = st.sampled_from([b"", b"?fresh=1", b"?fresh=%31", b"?fresh", b"?format=html", b"?&&=&=;fresh=1"]) | (
    urls.map(lambda raw: b"?" + raw)
)
# Of these the server makes something itself.
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
def server(request, tmp_path_factory) -> Iterator[Server]:
    kind, adaptor = request.param
    site = Site(tmp_path_factory.mktemp("site")).write(SERVICES, adaptor=adaptor)
    yield site.serve(kind)
    site.stop()


def send(server: Server, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """The answer to a request; status 0 where the server hangs up."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        content = b""
        try:
            connection.sendall(request)
            while chunk := connection.recv(65536):
                content += chunk
        except ConnectionError:
            # The server has seen enough of it.
            pass
    head, _, body = content.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100 "):
        head, _, body = body.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if len(lines[0].split()) < 2:
        return 0, {}, body
    found = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    return int(lines[0].split()[1]), found, body


def is_in_order(status: int, found: dict[str, str], method: str, body: bytes) -> bool:
    """Whether it is one of our answers, or the server's own refusal of what it does not let through."""
    if found.get("content-type") != "application/json":
        return status in (0, 400, 414, 431, 501, 505)
    return status in ANSWERS and (not body if method == "HEAD" else bool(json.loads(body)))


@given(method=methods, path=paths, query=queries, headers=headers)
@example(method="GET", path=b"/live", query=b"?" + b"&fresh" * 9000, headers=[])
@example(method="GET", path=b"/" + b"a/" * 4000, query=b"", headers=[])
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_sent_is_answered_in_order(server, method, path, query, headers) -> None:
    lines = [f"{name}: {value}".encode("latin-1") for name, value in headers]
    start = method.encode() + b" /api/health" + path + query + b" HTTP/1.1"
    request = b"\r\n".join([start, b"Host: example.com", b"Connection: close", *lines, b"", b""])
    status, found, body = send(server, request)
    assert is_in_order(status, found, method, body), (status, found, body)


@pytest.mark.parametrize("name", ["X-Large", "Authorization", "Accept", "Cookie"])
def test_a_header_of_a_megabyte(server, name) -> None:
    line = f"{name}: {'x' * 1048576}".encode()
    request = b"\r\n".join([b"GET /api/health HTTP/1.1", b"Host: example.com", b"Connection: close", line, b"", b""])
    status, found, body = send(server, request)
    assert is_in_order(status, found, "GET", body), (status, found, body)
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
def test_what_the_server_itself_has_to_make_sense_of(server, head) -> None:
    status, found, body = send(server, head + b"Host: example.com\r\nConnection: close\r\n\r\n" + b"0\r\n\r\n12345")
    assert is_in_order(status, found, "GET", body), (status, found, body)
    assert server.get(host="example.com").status == 200


# ---- the same without a server in between, which lets everything through

anything = st.text(st.characters(max_codepoint=0xFF), max_size=60)


@pytest.fixture(params=["wrapper", "middleware"])
def wsgi(request, healthguard_settings):
    healthguard_settings({"fine": "tests.strange_checks.Fine", "ai": {"one": "tests.strange_checks.Fine"}})
    handler = WSGIHandler()
    return healthguard.wsgi.guard(handler) if request.param == "wrapper" else handler


@pytest.mark.django_db
@given(method=anything, path=anything, query=anything, authorization=anything, accept=anything)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_a_wsgi_server_passes_on(wsgi, method, path, query, authorization, accept) -> None:
    told: list[str] = []
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
    body = b"".join(wsgi(environ, lambda status, headers, exc_info=None: told.append(status)))
    assert int(told[0].split()[0]) in ANSWERS
    if method != "HEAD":
        assert json.loads(body)


@pytest.fixture(params=["wrapper", "middleware"])
def asgi(request, healthguard_settings):
    healthguard_settings({"fine": "tests.strange_checks.Fine", "ai": {"one": "tests.strange_checks.Fine"}})
    handler = ASGIHandler()
    return healthguard.asgi.guard(handler) if request.param == "wrapper" else handler


# Bytes outside of ASCII, which no server takes in a query, are refused by Django before any middleware is asked.
plain = st.text(st.characters(max_codepoint=0x7F), max_size=60).map(str.encode)


@pytest.mark.django_db
@given(method=anything, path=st.text(max_size=60), query=plain, value=st.binary(max_size=60))
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_an_asgi_server_passes_on(asgi, method, path, query, value) -> None:
    sent: list[dict] = []

    received = iter([{"type": "http.request", "body": b""}])

    async def receive() -> dict:
        # After the body there comes nothing more but, some day, the end of the connection.
        return next(received, None) or await asyncio.Event().wait()

    async def send_(message: dict) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": f"/api/health/{path}",
        "query_string": query,
        "headers": [(b"authorization", value), (b"accept", value), (value, value)],
    }
    asyncio.run(asgi(scope, receive, send_))
    assert sent[0]["status"] in ANSWERS
    if method != "HEAD":
        assert json.loads(b"".join(message.get("body", b"") for message in sent))
