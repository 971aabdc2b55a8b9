"""Endpoints of a project are checked in the process that serves them."""

from __future__ import annotations

import shutil
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from example_project.deployment import anthropic_key, healthy_environment, manage
from example_project.postgres import Postgres
from example_project.provider_simulator import Simulator
from healthguard.checks import CredentialExchange
from tests.support.amounts import pairs
from tests.support.fixture_types import RunCheck
from tests.support.sites import PATIENCE, SERVERS, UNMEASURED, Reply, Server, Site, wait_until

Serve = Callable[..., Server]
"""``served(kind, settings, **modules)`` serves a project with these settings."""

TOKEN = "details-token-0123456789"
DETAILS = {"Authorization": f"Bearer {TOKEN}"}
EXCHANGE = "/api/v1/credentials/exchange"
IN_TIME = 15
"""The longest time of a response on a busy machine (seconds). DEADLINE is 0.8 s, and slow views take far longer."""

URLS = """
import asyncio, os, pathlib, time
from asgiref.sync import sync_to_async
from django.db import connection
from django.http import HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

@csrf_exempt
def exchange(request):
    key = pathlib.Path(os.environ["KEY_FILE"]).read_text() or "mock-anthropic-key"
    return JsonResponse({"credentials": {"anthropic": {"api_key": key}}})

def guarded(request):
    return JsonResponse({})

def database(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"atomic": connection.in_atomic_block, "secure": request.is_secure()})

async def asynchronous(request):
    await asyncio.sleep(0.01)
    await sync_to_async(database)(request)
    return JsonResponse({"host": request.get_host()})

async def async_alone(request):
    await asyncio.sleep(0.01)
    return JsonResponse({})

def slow(request):
    with pathlib.Path(os.environ["KEY_FILE"] + ".slow").open("a") as asked:
        asked.write("x")
    time.sleep(60)
    return JsonResponse({})

async def slow_async(request):
    await asyncio.sleep(60)

urlpatterns = [
    path("api/health", include("healthguard.urls")),
    path("api/v1/credentials/exchange", exchange),
    path("guarded", guarded), path("database", database), path("async", asynchronous),
    path("async-alone", async_alone), path("slow", slow), path("slow-async", slow_async),
]
"""
SETTINGS = """
import dj_database_url
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
HEALTHGUARD = {"DETAILS_TOKENS": ["details-token-0123456789"], "SERVICES": {}}
SERVICES = HEALTHGUARD["SERVICES"]
"""


@pytest.fixture
def served(site: Site, postgres: Postgres, database: str, tmp_path: Path) -> Serve:
    """Serve a project whose credential exchange vends the key in a file."""
    (tmp_path / "key").write_text(anthropic_key())
    site.environment = {"KEY_FILE": str(tmp_path / "key"), "DATABASE_URL": postgres.url_of(database)}

    def serve(kind: str, settings: str, **modules: str) -> Server:
        return site.write(SETTINGS + textwrap.dedent(settings), URLS, adaptor="middleware", **modules).serve(kind)

    return serve


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The migrated database of the example with a customer, and the environment variables of the example."""
    database = tmp_path_factory.mktemp("seeded") / "rsolv_platform_prod.sqlite3"
    environment = {**healthy_environment({}, f"sqlite:///{database}"), **UNMEASURED}
    manage(environment, "migrate", "--verbosity=0")
    return database, {**environment, "EXCHANGE_API_KEY": manage(environment, "seed_demo"), "HEALTHGUARD_TOKEN": TOKEN}


@pytest.fixture
def example(site: Site, tmp_path: Path, seeded: tuple[Path, dict[str, str]]) -> Site:
    """The example project with a copy of the database."""
    database, environment = seeded
    shutil.copy(database, tmp_path)
    site.environment = {**environment, "DATABASE_URL": f"sqlite:///{tmp_path / database.name}"}
    (tmp_path / "site_wsgi.py").write_text("from example_project.wsgi import application as plain\n")
    (tmp_path / "site_asgi.py").write_text("from example_project.asgi import application as plain\n")
    return site


def settled(server: Server, path: str = "/api/health") -> Reply:
    """Return the response with details after all first runs have finished."""
    return server.settled(path, headers=DETAILS)


@pytest.mark.parametrize("kind", SERVERS)
def test_example_that_vends_real_keys_is_healthy(example: Site, simulator: Simulator, kind: str) -> None:
    example.environment |= simulator.base_urls
    simulator.keys = {example.environment["ANTHROPIC_API_KEY"], example.environment["OPENAI_API_KEY"]}
    reply = settled(example.serve(kind))
    assert reply.status == 200, reply.json
    assert reply.json["services"]["credentials"] == "healthy"
    assert reply.json["credentials"]["checks"][0]["evidence"]["vended"] == ["anthropic", "openai"]


@pytest.mark.parametrize("kind", SERVERS)
def test_example_without_a_key_is_reported_to_vend_a_mock(example: Site, simulator: Simulator, kind: str) -> None:
    """An exchange vends a mock if its key is not mounted, which caused the outage."""
    del example.environment["ANTHROPIC_API_KEY"]
    example.environment |= simulator.base_urls
    simulator.keys = {example.environment["OPENAI_API_KEY"]}
    server = example.serve(kind)
    reply = settled(server, "/api/health/credentials")
    assert reply.status == 503
    (found,) = reply.json["checks"]
    assert (found["code"], found["fault"]) == ("key_placeholder", "config")
    assert found["message"].startswith(f"The key that POST {EXCHANGE} vends for anthropic is a mock")
    assert found["hint"].startswith("Check that ANTHROPIC_API_KEY is mounted into this container: env or envFrom")
    assert server.get("/api/health/ready").status == 503
    server.until_logged("vends for anthropic is a mock")


def test_example_without_a_customers_key_is_a_config_problem(example: Site) -> None:
    """An exchange that cannot be checked, because the customer's key is missing, is not reported as healthy."""
    del example.environment["EXCHANGE_API_KEY"]
    (found,) = settled(example.serve(), "/api/health/credentials").json["checks"]
    assert (found["code"], found["fault"]) == ("endpoint_header", "config")
    assert "mounted into this container" in found["hint"]


def test_example_is_checked_over_the_network(example: Site, simulator: Simulator, result: RunCheck) -> None:
    """A monitor on another machine gets the same result from the same check."""
    example.environment |= simulator.base_urls
    headers = {"x-api-key": example.environment["EXCHANGE_API_KEY"]}
    for key, code in ((example.environment["ANTHROPIC_API_KEY"], None), ("", "key_placeholder")):
        example.environment["ANTHROPIC_API_KEY"] = key
        server = example.serve()
        url = f"http://127.0.0.1:{server.port}{EXCHANGE}"
        outcome = result(CredentialExchange(url, ["anthropic", "openai"], headers))
        assert (outcome.problem and outcome.problem.code) == code
        server.stop()


@pytest.mark.parametrize("kind", SERVERS)
def test_vended_mock_is_reported_within_a_ttl(served: Serve, site: Site, kind: str) -> None:
    """A single worker that checks its own endpoint does not wait for itself, and answers within its deadline."""
    server = served(kind, f'SERVICES["credentials"] = Service(CredentialExchange("{EXCHANGE}", ["anthropic"]), ttl=1)')
    assert settled(server).status == 200
    key_file = site.folder / "key"
    real = key_file.read_text()
    for text, status in (("", 503), (real, 200)):
        key_file.write_text(text)
        changed = time.monotonic()
        while (reply := server.get(headers=DETAILS)).status != status:
            assert reply.seconds < IN_TIME
            # Far below the default ttl of the result of a key, which is 300 s.
            assert time.monotonic() - changed < 60
            time.sleep(0.05)
    assert real not in server.log


@pytest.mark.parametrize("kind", SERVERS)
def test_settings_of_the_project_apply_to_the_checked_views(
    served: Serve, postgres: Postgres, database: str, kind: str
) -> None:
    """A checked view runs behind the project's middleware and in its transactions, as in any other request."""
    server = served(
        kind,
        """
        ALLOWED_HOSTS = [".example.com"]
        SECURE_SSL_REDIRECT = True
        DATABASES["default"]["ATOMIC_REQUESTS"] = True
        SERVICES["csrf"] = HTTPEndpoint("/guarded", "POST", json={})
        SERVICES["exempt"] = CredentialExchange("/api/v1/credentials/exchange", ["anthropic"])
        SERVICES["atomic"] = HTTPEndpoint("/database", expect={"atomic": "true", "secure": "true"})
        SERVICES["itself"] = HTTPEndpoint("/api/health/live")
        """,
    )
    reply = settled(server)
    assert reply.json["services"] == {
        "csrf": "unhealthy",
        "exempt": "healthy",
        "atomic": "healthy",
        "itself": "healthy",
    }, reply.json
    assert reply.json["csrf"]["checks"][0]["evidence"]["http_status"] == 403
    count = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'"
    wait_until(lambda: postgres.execute(count) == [(0,)], lambda: "a connection is left open")


@pytest.mark.parametrize("kind", SERVERS)
def test_async_view_is_checked(served: Serve, kind: str) -> None:
    server = served(kind, 'SERVICES["async"] = HTTPEndpoint("/async", expect={"host": "example.com"})')
    reply = settled(server)
    assert reply.status == 200, reply.json


@pytest.mark.parametrize(("kind", "path"), pairs(SERVERS, ["/slow", "/slow-async"]))
def test_view_that_takes_too_long_is_reported_and_not_called_again(
    served: Serve, site: Site, kind: str, path: str
) -> None:
    """A view that hangs is not called a second time by the next run, because its threads would accumulate."""
    server = served(kind, f'SERVICES["slow"] = Service(HTTPEndpoint("{path}"), timeout=15, ttl=0.1)')
    reply = server.until("/api/health/slow", 503, headers=DETAILS)
    assert reply.seconds < IN_TIME
    codes: set[str] = set()
    ends = time.monotonic() + PATIENCE
    while "endpoint_timeout" not in codes:
        assert time.monotonic() < ends, codes
        reply = server.get("/api/health/slow", headers=DETAILS)
        assert reply.seconds < IN_TIME
        codes |= {check.get("code") for check in reply.json["checks"]}
        time.sleep(0.1)
    assert codes <= {"pending", "endpoint_timeout", "timeout"}
    # Time for further runs, which would call the view again.
    time.sleep(1)
    if path == "/slow":
        assert len((site.folder / "key.slow").read_text()) <= 2, "what hangs is not asked again beside itself"
    assert server.stop() < IN_TIME


ASGI = """
import json, os
from django.core.asgi import get_asgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")
django = get_asgi_application()
async def plain(scope, receive, send):
    if scope["type"] == "http" and scope["path"] in ("/outside", "/huge", "/broken"):
        if scope["path"] == "/broken":
            raise RuntimeError("s3cret")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps({"by": "asgi"}).encode()})
        return
    await django(scope, receive, send)
"""


def test_project_with_only_an_asgi_application_is_checked(served: Serve, site: Site) -> None:
    server = served(
        "uvicorn",
        """
        ASGI_APPLICATION = "site_asgi.plain"
        DATABASES["default"]["ATOMIC_REQUESTS"] = True
        SERVICES["outside"] = HTTPEndpoint("/outside", expect={"by": "asgi"})
        SERVICES["database"] = HTTPEndpoint("/database", expect={"atomic": "true"})
        SERVICES["broken"] = HTTPEndpoint("/broken", expect_status=500)
        SERVICES["exchange"] = CredentialExchange("/api/v1/credentials/exchange", ["anthropic"])
        """,
        site_asgi=ASGI,
    )
    reply = settled(server)
    assert reply.status == 200, reply.json
    assert "s3cret" not in reply.body.decode()
    # The checks work in a management command as well, which serves nothing.
    program = (
        "from healthguard.probes import warm_up; from healthguard.http.handler import Request, respond; warm_up(); "
        "print(respond(Request('GET', '')).status)"
    )
    done = site.manage("shell", "--verbosity=0", "-c", program)
    assert done.stdout.strip() == "200", done.stderr


def test_under_gevent_endpoints_are_checked_as_on_other_servers(
    served: Serve, site: Site, simulator: Simulator
) -> None:
    """Under gevent all threads are one thread of the system, where a running event loop appears to be everyone's."""
    simulator.keys = {(site.folder / "key").read_text()}
    site.environment |= {
        "ANTHROPIC_API_KEY": next(iter(simulator.keys)),
        "ANTHROPIC_BASE_URL": simulator.base_urls["ANTHROPIC_BASE_URL"].replace("127.0.0.1", "localhost"),
        "NO_PROXY": "localhost",
    }
    site.is_measured = True
    server = served(
        "gunicorn-gevent",
        """
        SERVICES["itself"] = HTTPEndpoint("/api/health/live")
        SERVICES["exchange"] = CredentialExchange("/api/v1/credentials/exchange", ["anthropic"])
        SERVICES["database"] = HTTPEndpoint("/database", expect={"atomic": "false"})
        SERVICES["async"] = HTTPEndpoint("/async-alone")
        SERVICES["key"] = AIProviderKey("anthropic")
        """,
    )
    for _ in range(3):
        reply = settled(server)
        assert set(reply.json["services"].values()) == {"healthy"}, reply.json
        reply = server.get("/api/health?fresh=1", headers=DETAILS)
    assert "Traceback" not in server.log


SLOW_STREAM = """
import os, pathlib, time
from django.http import StreamingHttpResponse
from django.urls import include, path

def drip(request):
    def parts():
        while not pathlib.Path(os.environ["KEY_FILE"] + ".fast").exists():
            time.sleep(0.2)
            yield b" "
        yield b"{}"
    return StreamingHttpResponse(parts())

urlpatterns = [path("api/health", include("healthguard.urls")), path("drip", drip)]
"""


@pytest.mark.parametrize("kind", ["gunicorn-gthread", "uvicorn"])
def test_view_that_streams_slowly_is_abandoned_and_called_again(served: Serve, site: Site, kind: str) -> None:
    settings = 'SERVICES["drip"] = Service(HTTPEndpoint("/drip"), timeout=1, ttl=0.2, stale_for=2)'
    server = served(kind, settings, site_urls=SLOW_STREAM)
    assert server.until("/api/health/drip", 503, headers=DETAILS).status == 503
    # Longer than the timeout and stale_for together.
    time.sleep(3)
    (site.folder / "key.fast").touch()
    assert server.until("/api/health/drip", 200, headers=DETAILS).status == 200


def test_under_gevent_many_checks_at_once_leave_nothing_open(
    served: Serve, site: Site, postgres: Postgres, database: str
) -> None:
    """Many simultaneous checks leave no threads, descriptors or database connections behind under gevent."""
    site.environment |= {f"KEY{number}": anthropic_key() for number in range(8)}
    # Nothing listens on this port. Each check must resolve the name, and all of them do so at once.
    site.environment |= {"ANTHROPIC_BASE_URL": "http://localhost:9", "NO_PROXY": "localhost"}
    site.is_measured = True
    server = served(
        "gunicorn-gevent",
        """
        CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "the_cache"}}
        for number in range(8):
            SERVICES[f"key{number}"] = Service(AIProviderKey("anthropic", key=f"KEY{number}"), timeout=60)
        SERVICES["shared"] = Service(AIProviderKey("anthropic", key="KEY0", share="default"), timeout=60)
        SERVICES["database"] = Service(HTTPEndpoint("/database"), timeout=60)
        """,
    )
    assert site.manage("createcachetable").returncode == 0
    reply = settled(server)
    statuses = dict(reply.json["services"])
    assert statuses.pop("database") == "healthy", reply.json
    assert set(statuses.values()) == {"degraded"}, reply.json

    def is_shared() -> bool:
        (check,) = server.get("/api/health?fresh=1", headers=DETAILS).json["shared"]["checks"]
        return check.get("evidence", {}).get("shared") is True

    # On a busy machine, a call of the cache may exceed its time limit.
    wait_until(is_shared, lambda: server.get(headers=DETAILS).json["shared"])
    (worker,) = server.workers()
    descriptors = worker.num_fds()
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: server.get("/api/health?fresh=1", headers=DETAILS), range(40)))
    assert {status for reply in replies for status in reply.json["services"].values()} <= {
        *("healthy", "degraded"),
        # Four requests at a time wait for each other's runs, which may take longer than a request waits.
        "unknown",
    }
    count = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'"
    wait_until(
        lambda: (
            worker.num_fds() - descriptors <= 10 and worker.num_threads() <= 30 and postgres.execute(count) == [(0,)]
        ),
        lambda: (descriptors, worker.num_fds(), worker.num_threads(), postgres.execute(count)),
    )
    assert "Traceback" not in server.log
