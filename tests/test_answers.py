"""The same bytes from every adaptor on every server, for every caller there is."""

from __future__ import annotations

import http.client
import json
import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.sites import ADAPTORS, PATIENCE, SERVERS, URLS, Server, Site

TOKEN = "details-token-0123456789"
DECLARATION = f"""
DETAILS = {TOKEN!r}
HEALTHGUARD = {{
    "SERVICES": {{
        "fine": "tests.strange_checks.Fine",
        "ai": {{"one": "tests.strange_checks.Fine", "two": "tests.strange_checks.Fine"}},
        "database": Service(("health_check.checks.Database", {{"alias": "down"}}), ttl=3600),
    }},
    # The first answer must be as complete as the others, also on a busy machine.
    "DEADLINE": 30,
    "DETAILS_TOKENS": [DETAILS],
}}
MIDDLEWARE += ["django.contrib.auth.middleware.LoginRequiredMiddleware"]
DATABASES["default"]["ATOMIC_REQUESTS"] = True
DATABASES["down"] = {{
    "ENGINE": "django.db.backends.postgresql", "NAME": "x", "HOST": "127.0.0.1", "PORT": 1, "ATOMIC_REQUESTS": True,
    "USER": "app", "PASSWORD": "Tr0ub4dor-3",
}}
"""
PLAIN = """
HEALTHGUARD = {
    "SERVICES": {"fine": "tests.strange_checks.Fine", "ai": {"one": "tests.strange_checks.Fine"}},
    "DEADLINE": 30,
}
"""
BODY = {
    "status": "unhealthy",
    "services": {"fine": "healthy", "ai": {"one": "healthy", "two": "healthy"}, "database": "unhealthy"},
    "fine": {"status": "healthy"},
    "ai": {"status": "healthy", "one": {"status": "healthy"}, "two": {"status": "healthy"}},
    "database": {"status": "unhealthy"},
}
# What the plain URLs cannot be shielded from, for the project's own middleware comes before them.
REDIRECT = "SECURE_SSL_REDIRECT = True\n"


@pytest.fixture(scope="module", params=[(kind, adaptor) for kind in SERVERS for adaptor in ADAPTORS], ids="-".join)
def server(request, tmp_path_factory) -> Server:
    """Each server with each adaptor, for a caller who sends a Host that is allowed."""
    kind, adaptor = request.param
    site = Site(tmp_path_factory.mktemp("site")).write(DECLARATION, adaptor=adaptor)
    yield site.serve(kind)
    site.stop()


@pytest.fixture(
    scope="module",
    params=[(kind, adaptor) for kind in SERVERS for adaptor in ADAPTORS if adaptor != "urls"],
    ids="-".join,
)
def shielded(request, tmp_path_factory) -> Server:
    """Each server with what answers before the project's middleware, which redirects to HTTPS."""
    kind, adaptor = request.param
    site = Site(tmp_path_factory.mktemp("site")).write(DECLARATION + REDIRECT, adaptor=adaptor)
    yield site.serve(kind)
    site.stop()


def ask(server: Server, path="/api/health", method="GET", **headers):
    return server.get(path, method, headers, host="example.com")


def raw(server: Server, request: bytes) -> tuple[int, bytes]:
    """Send bytes, and read until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(request)
        content = b""
        while chunk := connection.recv(65536):
            content += chunk
    head, _, body = content.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def test_the_answer(server) -> None:
    reply = ask(server)
    assert (reply.status, reply.json) == (503, BODY)
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-store"
    assert int(reply.headers["content-length"]) == len(reply.body)


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/live", 200, {"status": "healthy"}),
        ("/fine", 200, {"status": "healthy"}),
        ("/ai", 200, BODY["ai"]),
        ("/ai/one", 200, {"status": "healthy"}),
        ("/database", 503, {"status": "unhealthy"}),
        ("/startup", 503, BODY),
        ("/ready", 503, BODY),
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
def test_every_path_with_and_without_the_last_slash(server, path, status, body, slash) -> None:
    reply = ask(server, f"/api/health{path}{slash}")
    assert (reply.status, reply.json) == (status, body)


@pytest.mark.parametrize("path", ["/nope", "/ai/nope", "/fine/nope", "/live/x", "/ai//one", "/%00", "/..%2f"])
def test_an_unknown_name_is_404_in_json(server, path) -> None:
    reply = ask(server, f"/api/health{path}")
    assert reply.status == 404
    assert "fine" in reply.json["hint"]


def test_a_path_that_only_begins_alike_is_the_projects(server) -> None:
    assert ask(server, "/api/healthcare").status == 302, "it asks for a login"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_get_head_and_options_alike(server, method) -> None:
    get, reply = ask(server), ask(server, method=method)
    assert reply.status == get.status
    assert reply.body == (b"" if method == "HEAD" else get.body)
    for name in ("content-length", "content-type", "cache-control"):
        assert reply.headers[name] == get.headers[name]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_other_methods_are_405_in_json(server, method) -> None:
    reply = ask(server, method=method)
    assert reply.status == 405
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS"
    assert reply.json["error"]


@pytest.mark.parametrize("accept", ["*/*", "*", "text/html", "application/json;q=x", "image/png", ""])
def test_any_accept_gets_json(server, accept) -> None:
    assert ask(server, Accept=accept).json == BODY


def test_details_by_token(server) -> None:
    reply = ask(server, Authorization=f"Bearer {TOKEN}")
    section = reply.json["database"]
    assert section["age_seconds"] >= 0
    assert section["duration_ms"] > 0
    assert section["checked_at"].endswith("Z")
    (check,) = section["checks"]
    assert check["check"] == "Database"
    assert check["status"] == "unhealthy"
    assert (check["code"], check["fault"]) == ("database_unreachable", "outage")
    assert check["message"]
    assert check["hint"]
    assert "Tr0ub4dor" not in reply.body.decode()
    assert reply.json["fine"]["checks"] == [{"check": "Fine", "status": "healthy"}]
    assert ask(server, "/api/health/ai/one", Authorization=f"bearer {TOKEN}").json["checks"]


@pytest.mark.parametrize("given", ["Bearer wrong", "Bearer ", "Basic eDp5", f"Bearer {TOKEN}x", TOKEN, "Bearer \xff"])
def test_without_the_token_statuses_alone(server, given) -> None:
    reply = ask(server, Authorization=given)
    assert (reply.status, reply.json) == (503, BODY)
    assert "invalid_token" in reply.headers["www-authenticate"]


def test_fresh_is_for_those_with_a_token(server) -> None:
    reply = ask(server, "/api/health?fresh=1")
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    path = "/api/health/fine?fresh=1"
    checked = [ask(server, path, Authorization=f"Bearer {TOKEN}").json["checked_at"] for _ in range(3)]
    assert len(set(checked)) == 3, "each is of a run of its own"


def test_a_query_changes_nothing(server) -> None:
    assert ask(server, "/api/health?format=html&fresh=0&x=%ff").json == BODY


@pytest.mark.parametrize("host", ["10.1.2.3:8000", "[fd00::1]:8000", "evil.example", ""])
@pytest.mark.parametrize("path", ["/api/health", "/api/health/ready", "/api/health/startup"])
def test_kubelet(shielded, host, path) -> None:
    """It sends the pod's address as Host, which ALLOWED_HOSTS does not hold, over plain HTTP."""
    headers = {"User-Agent": "kube-probe/1.32", "Accept": "*/*", "Connection": "close", "Host": host}
    reply = shielded.get(path, headers=headers)
    assert (reply.status, reply.json) == (503, BODY)
    assert shielded.get("/api/health/live", headers=headers).status == 200
    assert shielded.get("/api/health/fine", headers=headers).status == 200


@pytest.mark.parametrize(
    "request_line", ["OPTIONS /api/health HTTP/1.0", "GET /api/health HTTP/1.0", "GET /api/health/ HTTP/1.0"]
)
def test_haproxy(shielded, request_line) -> None:
    """``option httpchk`` sends OPTIONS over HTTP/1.0 and no header at all."""
    status, body = raw(shielded, request_line.encode() + b"\r\n\r\n")
    assert (status, json.loads(body)) == (503, BODY)


def test_haproxy_asks_for_what_is_fine(shielded) -> None:
    assert raw(shielded, b"OPTIONS /api/health/fine HTTP/1.0\r\n\r\n")[0] == 200


def test_everything_else_still_goes_to_the_project(shielded) -> None:
    reply = shielded.get("/", host="example.com")
    assert (reply.status, reply.headers["location"]) == (301, "https://example.com/")


def test_the_connection_is_kept_for_those_who_want_it(shielded) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shielded.port, timeout=PATIENCE)
    for _ in range(3):
        connection.request("GET", "/api/health/fine")
        assert connection.getresponse().read() == b'{"status": "healthy"}\n'
    connection.close()


def test_polls_are_not_logged(shielded) -> None:
    """Neither by healthguard nor by Django, which would mail every 503 to ADMINS."""
    # What the first answer changed may be logged a moment later.
    shielded.get()
    shielded.until_logged("LOG ERROR healthguard database: ")
    before = shielded.log.count("LOG ")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: shielded.get(), range(20)))
    assert shielded.log.count("LOG ") <= before + 3, shielded.log


@pytest.mark.parametrize("prefix", ["api/health/", "health", "deep/down/status"])
@pytest.mark.parametrize("adaptor", ADAPTORS)
def test_wherever_it_is_mounted(site, prefix, adaptor) -> None:
    server = site.write(
        PLAIN,
        URLS.replace('"api/health"', repr(prefix)),
        adaptor=adaptor,
    ).serve("gunicorn-gthread")
    place = "/" + prefix.rstrip("/")
    for path in (f"{place}/", f"{place}/ready", f"{place}/fine", f"{place}/fine/", f"{place}/ai/one"):
        assert ask(server, path).status == 200, path
    assert ask(server, f"{place}/fine").json == {"status": "healthy"}
    assert ask(server, f"{place}/nope").status == 404
    assert ask(server, "/").body == b"home"
    if adaptor != "urls":
        assert ask(server, place).status == 200


@pytest.mark.parametrize("kind", SERVERS)
def test_below_a_script_name(site, kind) -> None:
    """As behind a proxy that serves the project at /app."""
    site.write(DECLARATION + "FORCE_SCRIPT_NAME = '/app'\n", adaptor="middleware")
    if kind == "uvicorn":
        server = site.serve(kind, "--root-path", "/app")
        assert ask(server, "/api/health/fine").status == 200
    else:
        site.environment["SCRIPT_NAME"] = "/app"
        server = site.serve(kind, live="/app/api/health/live")
        assert ask(server, "/app/api/health/fine").status == 200


@pytest.mark.parametrize(
    ("kind", "adaptor"), [(kind, "wrapper") for kind in SERVERS] + [("gunicorn-sync", "middleware")]
)
def test_a_urlconf_that_cannot_be_imported(site, kind, adaptor) -> None:
    site.write(DECLARATION, "import no_such_module_at_all\n", adaptor=adaptor)
    server = site.serve(kind)
    reply = server.get("/api/health", headers={"Authorization": f"Bearer {TOKEN}"})
    assert reply.status == 503
    assert reply.json["services"]["healthguard"] == "unhealthy"
    assert reply.json["services"]["fine"] == "healthy"
    (told,) = reply.json["healthguard"]["checks"]
    assert told["code"] == "urlconf_broken"
    assert "site_urls.py:" in told["evidence"]["at"]
    assert server.get("/api/health/ready").status == 503
    assert server.get("/api/health/live").status == 200


def test_a_service_called_like_the_rest_of_another_path(site) -> None:
    server = site.write(PLAIN.replace('"fine"', '"care"')).serve()
    assert ask(server, "/api/healthcare").body == b"home"
    assert ask(server, "/api/healthlive").status == 404
    assert ask(server, "/api/health/care").json == {"status": "healthy"}


def test_a_prefix_outside_ascii(site) -> None:
    server = site.write(PLAIN, URLS.replace('"api/health"', '"santé"'), adaptor="middleware").serve(
        live="/sant%C3%A9/live"
    )
    assert server.get("/sant%C3%A9/fine").json == {"status": "healthy"}


def test_a_urlconf_that_breaks_after_the_pod_was_ready(site) -> None:
    """gunicorn reloads on HUP: what serves nothing gets no traffic, whatever it could once."""
    server = site.write(PLAIN, adaptor="middleware").serve()
    assert server.until("/api/health/ready", 200).status == 200
    site.write(PLAIN, "import no_such_module_at_all\n", adaptor="middleware")
    server.process.send_signal(signal.SIGHUP)
    assert server.until("/api/health/ready", 503).status == 503
    assert server.get("/api/health/startup").status == 200


def test_under_gevent_two_asynchronous_checks_at_once(site) -> None:
    site.write(
        """
        HEALTHGUARD = {"SERVICES": {
            name: ("tests.strange_checks.SleepsAsync", {"seconds": 0.2}) for name in ("one", "two", "three")
        }}
        """,
        adaptor="middleware",
    )
    server = site.serve("gunicorn-gevent")
    reply = server.until("/api/health", 200)
    assert set(reply.json["services"].values()) == {"healthy"}, server.log


def test_under_gevent_requests_are_not_disturbed_by_an_asynchronous_check(site) -> None:
    """All threads are greenlets of one there: its event loop must not seem to be theirs."""
    hold = site.folder / "hold"
    hold.touch()
    site.write(
        'HEALTHGUARD = {"SERVICES": {"slow": Service("held.Held", timeout=120)}, "DEADLINE": 0.3}',
        URLS
        + """
from django.contrib.auth.models import Group
urlpatterns += [path("groups", lambda request: HttpResponse(str(Group.objects.count())))]
""",
        adaptor="middleware",
        held="""
        import asyncio, pathlib
        from health_check.base import HealthCheck
        class Held(HealthCheck):
            async def run(self):
                while pathlib.Path(__file__).with_name("hold").exists():
                    await asyncio.sleep(0.05)
        """,
    ).migrate()
    server = site.serve("gunicorn-gevent")
    assert server.get("/api/health").json["status"] == "unknown"
    for _ in range(5):
        reply = server.get("/groups", host="example.com")
        assert (reply.status, reply.body) == (200, b"0"), server.log
        assert server.get("/api/health").json["status"] == "unknown"
    hold.unlink()
    assert server.until("/api/health", 200).json["status"] == "healthy"


def test_public_status_tells_no_names(site) -> None:
    site.write(DECLARATION + "HEALTHGUARD['PUBLIC'] = 'status'\n", adaptor="wrapper")
    server = site.serve()
    assert server.get("/api/health").json == {"status": "unhealthy"}
    assert server.get("/api/health/ready").json == {"status": "unhealthy"}
    for path in ("/api/health/fine", "/api/health/no-such-name"):
        assert server.get(path).status == 401
    assert server.get("/api/health", headers={"Authorization": f"Bearer {TOKEN}"}).json["fine"]["checks"]


def test_debug_shows_details_to_everybody(site) -> None:
    server = site.write(DECLARATION + "DEBUG = True\n").serve()
    assert ask(server).json["database"]["checks"][0]["hint"]
