"""Every adaptor sends the same responses on every server, to every kind of client."""

from __future__ import annotations

import datetime
import http.client
import json
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.amounts import pairs
from tests.support.sites import ADAPTORS, PATIENCE, SERVERS, URLS, Reply, Server, Site

TOKEN = "details-token-0123456789"
FINE = 'Service("tests.support.strange_checks.Fine", timeout=60)'
"""A service whose first run may take long: it imports the database drivers."""
DECLARATION = f"""
DETAILS = {TOKEN!r}
HEALTHGUARD = {{
    "SERVICES": {{
        "fine": {FINE},
        "ai": {{"one": {FINE}, "two": {FINE}}},
        "database": Service(("health_check.checks.Database", {{"alias": "down"}}), ttl=3600, timeout=60),
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
    "SERVICES": {"fine": "tests.support.strange_checks.Fine", "ai": {"one": "tests.support.strange_checks.Fine"}},
    "DEADLINE": 30,
}
"""
BODY: dict[str, Any] = {
    "status": "unhealthy",
    "services": {"fine": "healthy", "ai": {"one": "healthy", "two": "healthy"}, "database": "unhealthy"},
    "fine": {"status": "healthy"},
    "ai": {"status": "healthy", "one": {"status": "healthy"}, "two": {"status": "healthy"}},
    "database": {"status": "unhealthy"},
}
# Plain URLs are redirected as well, because the project's middleware handles requests before they do.
REDIRECT = "SECURE_SSL_REDIRECT = True\n"


@pytest.fixture(scope="module", params=pairs(SERVERS, ADAPTORS), ids="-".join)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve the declaration with one kind of server and one adaptor."""
    kind, adaptor = request.param
    site = Site(tmp_path_factory.mktemp("site")).write(DECLARATION, adaptor=adaptor)
    yield site.serve(kind)
    site.stop()


@pytest.fixture(scope="module", params=pairs(SERVERS, ("middleware", "wrapper")), ids="-".join)
def redirecting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a project that redirects to HTTPS, with an adaptor that answers before the project's middleware."""
    kind, adaptor = request.param
    site = Site(tmp_path_factory.mktemp("site")).write(DECLARATION + REDIRECT, adaptor=adaptor)
    yield site.serve(kind)
    site.stop()


def send(server: Server, path: str = "/api/health", method: str = "GET", **headers: str) -> Reply:
    """Send a request with an allowed Host and return the response."""
    return server.get(path, method, headers, host="example.com")


def send_bytes(server: Server, request: bytes) -> tuple[int, bytes]:
    """Send bytes, read until the server closes the connection, and return the status and the body."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(request)
        content = b""
        while chunk := connection.recv(65536):
            content += chunk
    head, _, body = content.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def test_answer_has_status_body_and_headers(server: Server) -> None:
    reply = send(server)
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
def test_every_path_is_answered_with_and_without_the_last_slash(
    server: Server, path: str, status: int, body: dict[str, Any], slash: str
) -> None:
    reply = send(server, f"/api/health{path}{slash}")
    assert (reply.status, reply.json) == (status, body)


@pytest.mark.parametrize("path", ["/nope", "/ai/nope", "/fine/nope", "/live/x", "/ai//one", "/%00", "/..%2f"])
def test_an_unknown_name_is_404_in_json(server: Server, path: str) -> None:
    reply = send(server, f"/api/health{path}")
    assert reply.status == 404
    assert "fine" in reply.json["hint"]


def test_path_that_only_starts_like_the_mount_is_left_to_the_project(server: Server) -> None:
    assert send(server, "/api/healthcare").status == 302, "it asks for a login"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_head_and_options_are_answered_like_get(server: Server, method: str) -> None:
    get, reply = send(server), send(server, method=method)
    assert reply.status == get.status
    assert reply.body == (b"" if method == "HEAD" else get.body)
    for name in ("content-length", "content-type", "cache-control"):
        assert reply.headers[name] == get.headers[name]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_other_methods_are_405_in_json(server: Server, method: str) -> None:
    reply = send(server, method=method)
    assert reply.status == 405
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS"
    assert reply.json["error"]


@pytest.mark.parametrize("accept", ["*/*", "*", "text/html", "application/json;q=x", "image/png", ""])
def test_any_accept_gets_json(server: Server, accept: str) -> None:
    assert send(server, Accept=accept).json == BODY


def test_token_shows_details(server: Server) -> None:
    reply = send(server, Authorization=f"Bearer {TOKEN}")
    section = reply.json["database"]
    assert section["duration_ms"] > 0
    assert section["checked_at"].endswith("Z")
    checked_at = datetime.datetime.fromisoformat(section["checked_at"])
    later = send(server, Authorization=f"Bearer {TOKEN}").json["database"]
    since = (datetime.datetime.now(datetime.UTC) - checked_at).total_seconds()
    assert later["checked_at"] == section["checked_at"], "it is fresh for an hour"
    assert 0 <= section["age_seconds"] <= later["age_seconds"] <= since + 0.1
    (check,) = section["checks"]
    assert check["check"] == "Database"
    assert check["status"] == "unhealthy"
    assert (check["code"], check["fault"]) == ("database_unreachable", "outage")
    assert check["message"]
    assert check["hint"]
    assert "Tr0ub4dor" not in reply.body.decode()
    assert reply.json["fine"]["checks"] == [{"check": "Fine", "status": "healthy"}]
    assert send(server, "/api/health/ai/one", Authorization=f"bearer {TOKEN}").json["checks"]


@pytest.mark.parametrize("given", ["Bearer wrong", "Bearer ", "Basic eDp5", f"Bearer {TOKEN}x", TOKEN, "Bearer \xff"])
def test_invalid_token_gets_statuses_without_details(server: Server, given: str) -> None:
    reply = send(server, Authorization=given)
    assert (reply.status, reply.json) == (503, BODY)
    assert "invalid_token" in reply.headers["www-authenticate"]


def test_fresh_results_need_a_token(server: Server) -> None:
    reply = send(server, "/api/health?fresh=1")
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    path = "/api/health/fine?fresh=1"
    checked = []
    for _ in range(3):
        checked.append(send(server, path, Authorization=f"Bearer {TOKEN}").json["checked_at"])
        # Two runs may end within the millisecond that the answer shows.
        time.sleep(0.002)
    assert len(set(checked)) == 3, "each is of a run of its own"


def test_other_queries_change_nothing(server: Server) -> None:
    assert send(server, "/api/health?format=html&fresh=0&x=%ff").json == BODY


@pytest.mark.parametrize("host", ["10.1.2.3:8000", "[fd00::1]:8000", "evil.example", ""])
@pytest.mark.parametrize("path", ["/api/health", "/api/health/ready", "/api/health/startup"])
def test_probe_of_kubelet_is_answered_for_any_host(redirecting: Server, host: str, path: str) -> None:
    """kubelet sends plain HTTP with the address of the pod as Host, which is not in ALLOWED_HOSTS."""
    headers = {"User-Agent": "kube-probe/1.32", "Accept": "*/*", "Connection": "close", "Host": host}
    reply = redirecting.get(path, headers=headers)
    assert (reply.status, reply.json) == (503, BODY)
    assert redirecting.get("/api/health/live", headers=headers).status == 200
    assert redirecting.get("/api/health/fine", headers=headers).status == 200


@pytest.mark.parametrize(
    "request_line", ["OPTIONS /api/health HTTP/1.0", "GET /api/health HTTP/1.0", "GET /api/health/ HTTP/1.0"]
)
def test_probe_of_haproxy_is_answered_without_headers(redirecting: Server, request_line: str) -> None:
    """HAProxy's ``option httpchk`` sends OPTIONS over HTTP/1.0 without any header."""
    status, body = send_bytes(redirecting, request_line.encode() + b"\r\n\r\n")
    assert (status, json.loads(body)) == (503, BODY)


def test_probe_of_haproxy_for_a_healthy_service_is_200(redirecting: Server) -> None:
    assert send_bytes(redirecting, b"OPTIONS /api/health/fine HTTP/1.0\r\n\r\n")[0] == 200


def test_other_requests_go_to_the_project(redirecting: Server) -> None:
    reply = redirecting.get("/", host="example.com")
    assert (reply.status, reply.headers["location"]) == (301, "https://example.com/")


def test_connection_is_kept_alive(redirecting: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", redirecting.port, timeout=PATIENCE)
    for _ in range(3):
        connection.request("GET", "/api/health/fine")
        assert connection.getresponse().read() == b'{"status": "healthy"}\n'
    connection.close()


def test_polls_are_not_logged(redirecting: Server) -> None:
    """Neither healthguard nor Django logs a 503 to a probe, because Django would mail each of them to ADMINS."""
    # The changes of the first response may be logged shortly after it.
    redirecting.get()
    redirecting.until_logged("LOG ERROR healthguard database: ")
    before = redirecting.log.count("LOG ")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: redirecting.get(), range(20)))
    assert redirecting.log.count("LOG ") <= before + 3, redirecting.log


@pytest.mark.parametrize(("prefix", "adaptor"), pairs(["api/health/", "health", "deep/down/status"], ADAPTORS))
def test_paths_below_every_prefix_are_answered(site: Site, prefix: str, adaptor: str) -> None:
    server = site.write(
        PLAIN,
        URLS.replace('"api/health"', repr(prefix)),
        adaptor=adaptor,
    ).serve("gunicorn-gthread")
    mount = "/" + prefix.rstrip("/")
    for path in (f"{mount}/", f"{mount}/ready", f"{mount}/fine", f"{mount}/fine/", f"{mount}/ai/one"):
        assert send(server, path).status == 200, path
    assert send(server, f"{mount}/fine").json == {"status": "healthy"}
    assert send(server, f"{mount}/nope").status == 404
    assert send(server, "/").body == b"home"
    if adaptor != "urls":
        assert send(server, mount).status == 200


@pytest.mark.parametrize("kind", SERVERS)
def test_paths_below_a_script_name_are_answered(site: Site, kind: str) -> None:
    """A proxy may serve the project at a path like /app."""
    site.write(DECLARATION + "FORCE_SCRIPT_NAME = '/app'\n", adaptor="middleware")
    if kind == "uvicorn":
        server = site.serve(kind, "--root-path", "/app")
        assert send(server, "/api/health/fine").status == 200
    else:
        site.environment["SCRIPT_NAME"] = "/app"
        server = site.serve(kind, live="/app/api/health/live")
        assert send(server, "/app/api/health/fine").status == 200


@pytest.mark.parametrize(
    ("kind", "adaptor"), [(kind, "wrapper") for kind in SERVERS] + [("gunicorn-sync", "middleware")]
)
def test_urlconf_that_cannot_be_imported_is_reported(site: Site, kind: str, adaptor: str) -> None:
    site.write(DECLARATION, "import no_such_module_at_all\n", adaptor=adaptor)
    server = site.serve(kind)
    reply = server.get("/api/health", headers={"Authorization": f"Bearer {TOKEN}"})
    assert reply.status == 503
    assert reply.json["services"]["healthguard"] == "unhealthy"
    assert reply.json["services"]["fine"] == "healthy"
    (found,) = reply.json["healthguard"]["checks"]
    assert found["code"] == "urlconf_broken"
    assert "site_urls.py:" in found["evidence"]["at"]
    assert server.get("/api/health/ready").status == 503
    assert server.get("/api/health/live").status == 200


def test_service_named_like_the_end_of_another_path_does_not_answer_it(site: Site) -> None:
    server = site.write(PLAIN.replace('"fine"', '"care"')).serve()
    assert send(server, "/api/healthcare").body == b"home"
    assert send(server, "/api/healthlive").status == 404
    assert send(server, "/api/health/care").json == {"status": "healthy"}


def test_prefix_outside_ascii_is_answered(site: Site) -> None:
    server = site.write(PLAIN, URLS.replace('"api/health"', '"santé"'), adaptor="middleware").serve(
        live="/sant%C3%A9/live"
    )
    assert server.get("/sant%C3%A9/fine").json == {"status": "healthy"}


def test_pod_whose_urlconf_breaks_on_reload_is_not_ready(site: Site) -> None:
    """A pod that was ready gets no more traffic after gunicorn has reloaded a broken URLconf on HUP."""
    server = site.write(PLAIN, adaptor="middleware").serve()
    assert server.until("/api/health/ready", 200).status == 200
    # Only the URLconf: workers with another settings module have not been ready.
    (site.folder / "site_urls.py").write_text("import no_such_module_at_all\n")
    server.process.send_signal(signal.SIGHUP)
    assert server.until("/api/health/ready", 503).status == 503
    assert server.get("/api/health/startup").status == 200


def test_under_gevent_asynchronous_checks_run_at_the_same_time(site: Site) -> None:
    site.write(
        """
        HEALTHGUARD = {"SERVICES": {
            name: ("tests.support.strange_checks.SleepsAsync", {"seconds": 0.2}) for name in ("one", "two", "three")
        }}
        """,
        adaptor="middleware",
    )
    server = site.serve("gunicorn-gevent")
    reply = server.until("/api/health", 200)
    assert set(reply.json["services"].values()) == {"healthy"}, server.log


def test_under_gevent_requests_are_not_disturbed_by_an_asynchronous_check(site: Site) -> None:
    """Under gevent all threads are greenlets of one thread, and the check's event loop must not appear to be theirs."""
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


def test_public_status_shows_no_names(site: Site) -> None:
    site.write(DECLARATION + "HEALTHGUARD['PUBLIC'] = 'status'\n", adaptor="wrapper")
    server = site.serve()
    assert server.get("/api/health").json == {"status": "unhealthy"}
    assert server.get("/api/health/ready").json == {"status": "unhealthy"}
    for path in ("/api/health/fine", "/api/health/no-such-name"):
        assert server.get(path).status == 401
    assert server.get("/api/health", headers={"Authorization": f"Bearer {TOKEN}"}).json["fine"]["checks"]


def test_debug_shows_details_to_everybody(site: Site) -> None:
    server = site.write(DECLARATION + "DEBUG = True\n").serve()
    assert send(server).json["database"]["checks"][0]["hint"]
