"""Endpoints: in this process and over the network, every answer that they can give, and none of it is told on."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import threading
import time
from http import HTTPStatus

import pytest
import trustme
from django.contrib.auth.models import Group
from django.core.handlers.asgi import ASGIHandler
from django.db import connection
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path, reverse_lazy
from pytest_httpserver import HTTPServer
from werkzeug import Response

from healthguard.calling import MAX_BODY
from healthguard.checks import HTTPEndpoint
from healthguard.deadline import ending_in
from healthguard.service import source_of
from healthguard.status import Fault, Status
from healthguard.version import __version__
from tests.strange_checks import HANG

THINGS = {
    "status": "ok",
    "count": 12,
    "ratio": 1.50,
    "ready": True,
    "nothing": None,
    "items": [{"name": "first"}, {"name": "second"}],
    "credentials": {"anthropic": {"api_key": "s3cret-in-the-answer"}},
}
SECRETS = {
    "header": "s3cret-header-value",
    "called": "s3cret-called-value",
    "body": "s3cret-in-the-body",
    "answer": "s3cret-in-the-answer",
    "user": "s3cret-user",
    "password": "s3cret-password",
    "query": "s3cret-query",
}


def things(request):
    return JsonResponse(THINGS)


def echo(request):
    return JsonResponse(
        {
            "method": request.method,
            "host": request.get_host(),
            "secure": request.is_secure(),
            "agent": request.headers["user-agent"],
            "type": request.headers.get("content-type"),
            "key": request.headers.get("x-api-key"),
            "query": request.GET.get("q"),
            "body": request.body.decode(),
            "path": request.path,
        }
    )


def status(request, code):
    return HttpResponse("s3cret-in-the-answer", status=code)


def boom(request):
    raise RuntimeError("s3cret-in-the-answer")


def slow(request):
    time.sleep(HANG)
    return JsonResponse({})


def database(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"atomic": connection.in_atomic_block, "thread": threading.current_thread().name})


async def asynchronous(request):
    from asgiref.sync import sync_to_async

    await asyncio.sleep(0.01)
    return await sync_to_async(database)(request)


def endless(request):
    return StreamingHttpResponse(b"x" * 65536 for _ in iter(int, 1))


def torn(request):
    def parts():
        yield b"{"
        raise RuntimeError("s3cret-in-the-answer")

    return StreamingHttpResponse(parts())


def odd_header(request):
    return HttpResponse("{}", headers={"X-Odd": "é"})


urlpatterns = [
    path("things", things, name="the-things"),
    path("things/grün", echo),
    path("echo", echo),
    path("status/<int:code>", status),
    path("boom", boom),
    path("slow", slow),
    path("database", database),
    path("async", asynchronous),
    path("endless", endless),
    path("torn", torn),
    path("odd-header", odd_header),
]


@pytest.fixture(autouse=True)
def _urls(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with override_settings(ROOT_URLCONF=__name__):
        yield


@pytest.fixture
def server(httpserver: HTTPServer) -> HTTPServer:
    httpserver.expect_request("/things").respond_with_json(THINGS)
    return httpserver


async def application(scope, receive, send):
    """This project's ASGI application, and what it puts around Django."""
    if scope["path"] not in ("/huge", "/torn-off", "/raising"):
        await ASGIHandler()(scope, receive, send)
        return
    if scope["path"] == "/raising":
        raise RuntimeError("s3cret-in-the-answer")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(1000 if scope["path"] == "/huge" else 1):
        sent.append(1)
        await send({"type": "http.response.body", "body": b" " * 65536, "more_body": True})
    raise RuntimeError("s3cret-in-the-answer")


sent: list[int] = []


@pytest.fixture(params=["wsgi", "asgi"])
def protocol(request):
    """What this project has as its application."""
    name = f"{__name__}.application" if request.param == "asgi" else None
    with override_settings(ASGI_APPLICATION=name):
        yield request.param


@pytest.fixture(params=["wsgi", "asgi", "network"])
def things_at(request, server):
    """The same endpoint, in this process and on a server."""
    with override_settings(ASGI_APPLICATION=f"{__name__}.application" if request.param == "asgi" else None):
        yield server.url_for("/things") if request.param == "network" else "/things"


# What is expected.


def test_an_endpoint_that_answers_as_declared(result, things_at) -> None:
    expect = {
        "status": "ok|fine",
        "$.count": "[0-9]+",
        "ratio": r"1\.5",
        "ready": "true",
        "items.1.name": "second",
        "credentials.anthropic.api_key": "s3cret-.*",
    }
    told = result(HTTPEndpoint(things_at, expect=expect))
    assert told.status is Status.HEALTHY, told.problem
    assert told.evidence == {"endpoint": f"GET {things_at}", "http_status": 200}


@pytest.mark.parametrize(
    ("where", "pattern", "kind"),
    [
        ("status", "o", "a text of another form"),
        ("count", "1", "a number of another form"),
        ("ready", "false", "a truth value of another form"),
        ("ready", "True", "a truth value of another form"),
        ("nothing", ".*", "null"),
        ("nothing.more", ".*", "missing"),
        ("absent", ".*", "missing"),
        ("items", ".*", "a list"),
        ("items.2.name", ".*", "missing"),
        ("items.first", ".*", "missing"),
        ("items.-1.name", ".*", "missing"),
        ("credentials.anthropic", ".*", "an object"),
        ("credentials.anthropic.api_key", "sk-ant-.*", "a text of another form"),
        ("$", ".*", "an object"),
    ],
)
def test_what_does_not_fit_is_told_by_its_path_and_kind(problem, things_at, where, pattern, kind) -> None:
    told = problem(HTTPEndpoint(things_at, expect={"status": "ok", where: pattern}))
    assert (told.code, told.fault) == ("endpoint_mismatch", Fault.CONFIG)
    assert f"{where} is {kind}." in told.message
    assert told.evidence["mismatches"] == {where: kind}
    assert "s3cret" not in repr(told)


@pytest.mark.parametrize(
    ("code", "expected", "fault"),
    [
        (200, 204, Fault.CONFIG),
        (201, 200, Fault.CONFIG),
        (301, 200, Fault.CONFIG),
        (400, 200, Fault.CONFIG),
        (401, [200, 204], Fault.CONFIG),
        (403, 200, Fault.CONFIG),
        (404, 200, Fault.CONFIG),
        (429, 200, Fault.OUTAGE),
        (500, 200, Fault.OUTAGE),
        (503, {200, 500}, Fault.OUTAGE),
    ],
)
@pytest.mark.parametrize("is_inside", [True, False])
def test_another_status(problem, httpserver, code, expected, fault, is_inside) -> None:
    httpserver.expect_request(f"/status/{code}").respond_with_data("s3cret-in-the-answer", code)
    url = f"/status/{code}" if is_inside else httpserver.url_for(f"/status/{code}")
    told = problem(HTTPEndpoint(url, expect_status=expected))
    assert (told.code, told.fault) == ("endpoint_status", fault)
    assert f"HTTP {code}, not " in told.message
    assert told.evidence["http_status"] == code
    assert "s3cret" not in repr(told)


@pytest.mark.parametrize("expected", [503, [200, 503], {503}, range(500, 600)])
def test_a_status_that_is_right(result, expected) -> None:
    assert result(HTTPEndpoint("/status/503", expect_status=expected)).status is Status.HEALTHY


@pytest.mark.parametrize("body", [b"", b"<html>s3cret", b'{"status": "ok"', b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_json(problem, httpserver, body) -> None:
    httpserver.expect_request("/page").respond_with_data(body)
    told = problem(HTTPEndpoint(httpserver.url_for("/page"), expect={"status": "ok"}))
    assert (told.code, told.fault) == ("endpoint_not_json", Fault.CONFIG)
    assert "s3cret" not in repr(told)


def test_without_an_expectation_any_body_will_do(result, httpserver) -> None:
    httpserver.expect_request("/page").respond_with_data("<html>")
    assert result(HTTPEndpoint(httpserver.url_for("/page"))).status is Status.HEALTHY


# What is sent.


def test_what_is_sent_inside(result, protocol) -> None:
    check = HTTPEndpoint(
        "/echo?q=1",
        "POST",
        headers={"x-api-key": lambda: "key"},
        json={"providers": ["anthropic"]},
        expect={
            "method": "POST",
            "host": "testserver",
            "secure": "false",
            "agent": f"healthguard/{__version__}",
            "type": "application/json",
            "key": "key",
            "query": "1",
            "body": r'\{"providers": \["anthropic"\]\}',
            "path": "/echo",
        },
    )
    assert result(check).problem is None


def test_what_is_sent_over_the_network(result, server) -> None:
    url = server.url_for("/things?q=1").replace("://", "://us%40er:pa%3Ass@")
    headers = {"X-Api-Key": lambda: "key", "user-agent": "mine"}
    assert result(HTTPEndpoint(url, "PUT", headers=headers, json=[])).problem is None
    (request, _), *rest = server.log
    assert not rest
    assert (request.method, request.query_string, request.get_data()) == ("PUT", b"q=1", b"[]")
    assert (request.headers["x-api-key"], request.headers["user-agent"]) == ("key", "mine")
    assert (request.authorization.username, request.authorization.password) == ("us@er", "pa:ss")


def test_no_body_where_none_is_declared(result) -> None:
    expect = {"body": "", "method": "GET"}
    assert result(HTTPEndpoint("/echo", expect=expect)).problem is None


def test_a_path_outside_ascii(result, protocol) -> None:
    for url in ("/things/grün", "/things/gr%C3%BCn"):
        assert result(HTTPEndpoint(url, expect={"path": "/things/grün"})).problem is None


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (lambda: {}["HEALTHGUARD_NO_SUCH"], "(KeyError)"),
        (lambda: None, "is no text"),
        (lambda: "s3cret\n", "line break"),
        (lambda: "s3cret\r\nX-More: 1", "line break"),
        (lambda: "s3crét", "ASCII"),
    ],
)
def test_a_header_that_has_no_value(problem, things_at, value, why) -> None:
    told = problem(HTTPEndpoint(things_at, headers={"x-api-key": value}))
    assert (told.code, told.fault) == ("endpoint_header", Fault.CONFIG)
    assert why in told.message
    assert "x-api-key" in told.message
    assert "s3cr" not in repr(told)


# The project's own application.


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        (["*"], "localhost"),
        ([".example.com"], "example.com"),
        (["*", "shop.example"], "shop.example"),
        (["[::1]"], r"\[::1\]"),
        ([], "localhost"),
    ],
)
def test_a_host_that_is_allowed(result, allowed, host) -> None:
    with override_settings(ALLOWED_HOSTS=allowed, DEBUG=not allowed):
        assert result(HTTPEndpoint("/echo", expect={"host": host})).problem is None


def test_a_host_of_its_own(result) -> None:
    with override_settings(ALLOWED_HOSTS=["a.example", "b.example"]):
        check = HTTPEndpoint("/echo", headers={"Host": "b.example"}, expect={"host": "b.example"})
        assert result(check).problem is None


def test_the_redirect_to_https_is_not_met(result, protocol) -> None:
    middleware = ["django.middleware.security.SecurityMiddleware"]
    with override_settings(SECURE_SSL_REDIRECT=True, MIDDLEWARE=middleware):
        assert result(HTTPEndpoint("/echo", expect={"secure": "true"})).problem is None
        with override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")):
            assert result(HTTPEndpoint("/echo")).problem is None


def test_the_projects_middleware_has_its_say(problem) -> None:
    with override_settings(MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"]):
        told = problem(HTTPEndpoint("/echo", "POST", json={}))
    assert (told.code, told.evidence["http_status"]) == ("endpoint_status", 403)
    assert "CSRF" in told.hint


def test_a_view_that_raises(problem, protocol) -> None:
    told = problem(HTTPEndpoint("/boom"))
    assert (told.code, told.fault, told.evidence["http_status"]) == ("endpoint_status", Fault.OUTAGE, 500)
    assert "s3cret" not in repr(told)


def test_a_view_whose_exceptions_are_let_through(problem) -> None:
    with override_settings(DEBUG_PROPAGATE_EXCEPTIONS=True):
        told = problem(HTTPEndpoint("/boom"))
    assert (told.code, told.evidence["http_status"]) == ("endpoint_status", 500)
    assert "raised RuntimeError" in told.message
    assert "s3cret" not in repr(told)


def test_an_answer_that_breaks_off(problem) -> None:
    told = problem(HTTPEndpoint("/torn"))
    assert (told.code, told.evidence["http_status"]) == ("endpoint_status", 500)


def test_an_application_that_cannot_be_made(problem) -> None:
    with override_settings(MIDDLEWARE=["no.such.Middleware"]):
        told = problem(HTTPEndpoint("/things"))
    assert (told.code, told.fault) == ("endpoint_status", Fault.OUTAGE)
    assert "raised ModuleNotFoundError" in told.message or "raised ImportError" in told.message


def test_an_answer_with_an_odd_header(result) -> None:
    assert result(HTTPEndpoint("/odd-header")).problem is None


def test_an_endless_answer_inside_is_cut(problem) -> None:
    told = problem(HTTPEndpoint("/endless", expect={"a": "b"}))
    assert told.code == "endpoint_not_json"
    assert str(MAX_BODY) in told.message


@pytest.mark.parametrize(
    ("url", "code"),
    [("/huge", "endpoint_not_json"), ("/raising", "endpoint_status"), ("/torn-off", "endpoint_status")],
)
def test_what_an_asgi_project_puts_around_django(problem, url, code) -> None:
    sent.clear()
    with override_settings(ASGI_APPLICATION=f"{__name__}.application"):
        told = problem(HTTPEndpoint(url, expect={"a": "b"}))
    assert told.code == code
    assert "s3cret" not in repr(told)
    assert len(sent) * 65536 <= MAX_BODY + 2 * 65536


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["/database", "/async"])
def test_on_the_tests_own_connection(result, url, protocol) -> None:
    told = result(HTTPEndpoint(url))
    assert told.problem is None
    assert connection.in_atomic_block, "the test's transaction goes on"
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


@pytest.mark.django_db
def test_requests_in_transactions(result, protocol) -> None:
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        assert result(HTTPEndpoint("/database", expect={"atomic": "true"})).problem is None
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False


def test_a_view_that_takes_too_long(healthguard_settings) -> None:
    """In a run of its own: what is left behind is not run a second time beside itself."""
    from healthguard import Service
    from healthguard.respond import Request, respond

    healthguard_settings({"slow": Service(HTTPEndpoint("/slow"), timeout=5, ttl=0)}, DEADLINE=20)
    with override_settings(DEBUG=True):
        started = time.monotonic()
        body = json.loads(respond(Request("GET", "")).body)
        assert time.monotonic() - started < HANG / 2
    (told,) = body["slow"]["checks"]
    assert told["code"] == "endpoint_timeout", told
    assert "no answer in 4.0 s" in told["message"]


# Over the network.


def test_nobody_listens(problem) -> None:
    told = problem(HTTPEndpoint("http://127.0.0.1:1/things"))
    assert (told.code, told.fault) == ("endpoint_unreachable", Fault.OUTAGE)
    assert "(ConnectionRefusedError)" in told.message


def test_no_such_name(problem) -> None:
    told = problem(HTTPEndpoint("http://no-such-name.invalid/things"))
    assert (told.code, told.fault) == ("endpoint_unreachable", Fault.OUTAGE)
    assert "(no such host name)" in told.message


def test_a_certificate_that_is_not_trusted(problem) -> None:
    with HTTPServer(ssl_context=_context(trustme.CA())) as server:
        told = problem(HTTPEndpoint(server.url_for("/things")))
    assert told.code == "endpoint_unreachable"
    assert "(SSLCertVerificationError)" in told.message


def test_a_certificate_of_the_environments(result, monkeypatch, tmp_path) -> None:
    from healthguard.calling import network

    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    network.certificates.cache_clear()
    with HTTPServer(ssl_context=_context(ca)) as server:
        server.expect_request("/things").respond_with_json(THINGS)
        assert result(HTTPEndpoint(server.url_for("/things"))).problem is None
    network.certificates.cache_clear()


def _context(ca: trustme.CA):
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


def test_a_proxy_of_the_environments(result, server, monkeypatch) -> None:
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTP_PROXY", server.url_for("/"))
    server.expect_request("/elsewhere").respond_with_json({"by": "proxy"})
    check = HTTPEndpoint("http://elsewhere.invalid/elsewhere", expect={"by": "proxy"})
    assert result(check).problem is None


def test_a_redirect_is_not_followed(problem, httpserver) -> None:
    httpserver.expect_request("/old").respond_with_data("", 302, {"Location": httpserver.url_for("/new")})
    told = problem(HTTPEndpoint(httpserver.url_for("/old"), headers={"x-api-key": "key"}))
    assert (told.code, told.fault) == ("endpoint_status", Fault.CONFIG)
    assert [request.path for request, _ in httpserver.log] == ["/old"]
    assert "for redirects are not followed" in told.hint


@pytest.mark.parametrize("is_drip", [True, False])
def test_a_server_that_drips_or_is_silent(problem, is_drip) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                try:
                    peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n" if is_drip else b"")
                    for _ in range(round(HANG * 10)):
                        time.sleep(0.1)
                        peer.sendall(b"x" if is_drip else b"")
                except OSError:
                    pass

        threading.Thread(target=serve, daemon=True).start()
        started = time.monotonic()
        with ending_in(1):
            told = problem(HTTPEndpoint(f"http://127.0.0.1:{listener.getsockname()[1]}/"))
    assert time.monotonic() - started < HANG / 2
    assert (told.code, told.fault) == ("endpoint_timeout", Fault.OUTAGE)
    assert re.search(r"no answer in 0\.[78] s", told.message)


def test_what_is_no_http(problem) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(b"s3cret-in-the-answer\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        told = problem(HTTPEndpoint(f"http://127.0.0.1:{listener.getsockname()[1]}/"))
    assert told.code == "endpoint_unreachable"
    assert "s3cret" not in repr(told)


def test_a_huge_answer_is_cut(problem, result, httpserver) -> None:
    sent = []

    def huge():
        for _ in range(400):
            sent.append(1)
            yield b" " * 65536

    httpserver.expect_request("/huge").respond_with_handler(lambda request: Response(huge()))
    told = problem(HTTPEndpoint(httpserver.url_for("/huge"), expect={"a": "b"}))
    assert told.code == "endpoint_not_json"
    assert len(sent) < 400
    assert result(HTTPEndpoint(httpserver.url_for("/huge"))).problem is None, "the status alone is asked for"


# Secrets.


def with_secrets(root: str, **changes: object) -> HTTPEndpoint:
    url = f"{root}?token={SECRETS['query']}".replace("://", f"://{SECRETS['user']}:{SECRETS['password']}@")
    options: dict[str, object] = {
        "method": "POST",
        "headers": {"x-api-key": SECRETS["header"], "x-other": lambda: SECRETS["called"]},
        "json": {"key": SECRETS["body"]},
        **changes,
    }
    return HTTPEndpoint(url, **options)


def logged(caplog) -> str:
    """What was logged, but by the test's own server."""
    return "\n".join(record.getMessage() for record in caplog.records if record.name != "werkzeug")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({}, None),
        ({"expect_status": 418}, "endpoint_status"),
        ({"expect": {"credentials.anthropic.api_key": "sk-.*"}}, "endpoint_mismatch"),
        ({"method": "s3cret-method"}, "misdeclared"),
        ({"json": {"s3cret": object()}}, "misdeclared"),
        ({"headers": {"s3cret header": "x"}}, "misdeclared"),
        ({"headers": {"x-api-key": "s3cret\n"}}, "misdeclared"),
        ({"headers": {"x-api-key": lambda: {}["s3cret"]}}, "endpoint_header"),
        ({"expect": {"status": "s3cret("}}, "misdeclared"),
    ],
)
def test_no_secret_leaves(result, things_at, caplog, options, code) -> None:
    check = with_secrets(things_at, **options)
    with caplog.at_level(logging.DEBUG):
        told = result(check)
    assert (told.problem.code if told.problem else None) == code
    everything = [repr(told), repr(check), str(check.labels), str(list(check.misdeclared())), logged(caplog)]
    assert "s3cret" not in "\n".join(everything)


def test_no_secret_of_a_redirect_is_logged(problem, httpserver, caplog) -> None:
    location = {"Location": "http://127.0.0.1/?token=s3cret-query", "Set-Cookie": "session=s3cret"}
    httpserver.expect_request("/old").respond_with_data("", 301, location)
    with caplog.at_level(logging.DEBUG):
        told = problem(HTTPEndpoint(httpserver.url_for("/old?token=s3cret-query")))
    assert "s3cret" not in logged(caplog) + repr(told)


def test_what_others_log_of_their_calls_stays(result, server, caplog) -> None:
    import httpx

    with caplog.at_level(logging.INFO):
        assert result(HTTPEndpoint(server.url_for("/things"))).problem is None
        assert "HTTP Request" not in caplog.text
        httpx.get(server.url_for("/things"))
        assert "HTTP Request" in caplog.text


def test_no_exception_holds_a_secret(server) -> None:
    """As django-health-check's view logs it: with its cause and its context."""
    import traceback

    for check in (
        with_secrets(server.url_for("/things"), expect={"status": "s3"}),
        with_secrets("http://127.0.0.1:1/"),
        with_secrets(server.url_for("/things"), headers={"x-api-key": lambda: {}["s3cret"]}),
    ):
        with pytest.raises(Exception, match=r"\.") as caught:
            asyncio.run(check.run())
        text = "".join(traceback.format_exception(caught.value))
        assert "s3cret" not in text.replace('lambda: {}["s3cret"]', "")


# Declarations.


@pytest.mark.parametrize(
    "options",
    [
        *(
            {"url": url}
            for url in ("", "things", "//host/things", "ftp://host/", "http://", "http://[", "/a\nb", 5, None)
        ),
        *({"method": method} for method in ("get", "FETCH", "", None, ["GET"])),
        *({"headers": headers} for headers in ("x", ["x"], {5: "x"}, {"a b": "x"}, {"": "x"}, {"x": 5}, {"x": None})),
        {"headers": {"x": "line\nbreak"}},
        {"headers": {"Content-Length": "5"}},
        *({"json": value} for value in (object(), {"a": {1, 2}}, float("nan"))),
        *({"expect_status": value} for value in ("200", None, [], 99, 600, True, [200, "x"], {200: 1})),
        *(
            {"expect": value}
            for value in ("x", [("a", "b")], {"a": "("}, {"a": None}, {"a": 5}, {"": "x"}, {"a..b": "x"})
        ),
        {"expect": {5: "x"}},
        {"expect": {"$a": "x", ".b": "x"}},
    ],
)
def test_what_cannot_be_meant(problem, options) -> None:
    check = HTTPEndpoint(**{"url": "/things", **options})
    assert repr(check)
    told = problem(check)
    assert (told.code, told.fault) == ("misdeclared", Fault.CONFIG)
    assert next(check.misdeclared()) == told


def test_a_declaration_evaluates_nothing() -> None:
    asked = []
    check = HTTPEndpoint("/things", headers={"x-api-key": lambda: asked.append(1)})
    assert list(check.misdeclared()) == []
    assert source_of(check).name == "HTTPEndpoint"
    assert asked == []


def test_its_repr_tells_two_apart() -> None:
    assert repr(HTTPEndpoint("/a?b=c")) == "HTTPEndpoint('/a')"
    assert repr(HTTPEndpoint("https://u:p@example.com/a?b")) == "HTTPEndpoint('https://example.com/a')"
    assert HTTPEndpoint("/a?b=c").labels == {"check": "HTTPEndpoint", "url": "/a"}


# Headers that are made for each call.


@pytest.mark.django_db
@pytest.mark.parametrize("is_async", [False, True])
def test_a_header_out_of_the_database(result, is_async) -> None:
    Group.objects.create(name="k3y")

    async def found_later() -> str:
        return (await Group.objects.aget()).name

    def found() -> str:
        return Group.objects.get().name

    headers = {"x-api-key": found_later if is_async else found}
    assert result(HTTPEndpoint("/echo", headers=headers, expect={"key": "k3y"})).status is Status.HEALTHY


def test_a_header_that_takes_too_long(problem) -> None:
    with ending_in(1):
        told = problem(HTTPEndpoint("/things", headers={"x-api-key": lambda: time.sleep(4) or "x"}))
    assert told.code == "endpoint_header"
    assert re.search(r"cannot be had in 0\.[78] s", told.message)


# Declarations.


@pytest.mark.parametrize(
    "options",
    [
        {"url": "http://127.0.0.1:99999/"},
        {"url": "http://127.0.0.1:0/"},
        {"url": "///host/path"},
        {"url": "//host/path"},
        {"url": reverse_lazy("no-such-pattern")},
        {"url": "http://user:pw@127.0.0.1/", "headers": {"authorization": "Bearer x"}},
        *({"expect": {path: "x"}} for path in ("items[0].name", "$.items[0].name", "$[0]", "$a", "items.*.name", "")),
        {"expect": {"status": b"ok"}},
        {"expect": {"status": None}},
        {"method": "HEAD", "expect": {"status": "ok"}},
        {"expect_status": True},
        {"expect_status": [200, 20]},
    ],
)
def test_what_else_cannot_be_meant(problem, options) -> None:
    told = problem(HTTPEndpoint(**{"url": "/things", **options}))
    assert (told.code, told.fault) == ("misdeclared", Fault.CONFIG)


@pytest.mark.parametrize(
    "options",
    [
        {"url": reverse_lazy("the-things")},
        {"expect_status": HTTPStatus.OK},
        {"expect_status": {HTTPStatus.OK, 204}},
        {"expect_status": range(200, 300)},
        {"expect": {"items." + "9" * 5000: "x"}},
    ],
)
def test_what_is_meant(result, options) -> None:
    told = result(HTTPEndpoint(**{"url": "/things", **options})).problem
    assert told is None or (told.code, "missing" in told.message) == ("endpoint_mismatch", "expect" in options)


def test_many_statuses_are_not_all_told(problem) -> None:
    assert len(problem(HTTPEndpoint("/things", expect_status=range(300, 600))).message) < 250


def test_a_text_of_several_lines_fits_a_dot(result, httpserver) -> None:
    httpserver.expect_request("/pem").respond_with_json({"certificate": "-----BEGIN\nMII\n-----END"})
    url = httpserver.url_for("/pem")
    assert result(HTTPEndpoint(url, expect={"certificate": "-----BEGIN.+"})).status is Status.HEALTHY


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        (["", "shop.example"], "shop.example"),
        (["shop.example:8000", "other.example"], "other.example"),
        (["bad host", ".shop.example"], "shop.example"),
        (["*"], "localhost"),
        (["[::1]"], "[::1]"),
    ],
)
def test_the_host_is_one_that_django_takes(result, allowed, host) -> None:
    with override_settings(ALLOWED_HOSTS=allowed):
        told = result(HTTPEndpoint("/echo", expect={"host": re.escape(host)}))
    assert told.problem is None
