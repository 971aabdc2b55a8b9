"""The pods that the faults affect: real servers of one project, one of each kind, and their responses."""

from __future__ import annotations

import dataclasses
import datetime
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import trustme

from tests.support.sites import URLS, Reply, Server, Site

T = TypeVar("T")

TOKEN = "faults-token-0123456789"
TTL, TIMEOUT, DEADLINE = 1.0, 6.0, 0.8
SLACK = 60.0
"""The time that a wait allows a busy machine beyond that of an idle one (seconds)."""
RESPONSE_LIMIT = 5.0
"""The longest time that a single response may take (seconds). It is far above DEADLINE, but below TIMEOUT, which is the
time that a response would take if it waited for a hung check."""

KINDS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "gunicorn sync": ("gunicorn-sync", "middleware", ()),
    "gunicorn gthread": ("gunicorn-gthread", "wrapper", ()),
    "gunicorn --preload": ("gunicorn-gthread", "urls", ("--preload",)),
    "uvicorn": ("uvicorn", "middleware", ()),
}
"""The server, the adaptor of healthguard and the options of the server, by name."""

SETTINGS = f"""
import dj_database_url
DATABASES = {{
    "default": dj_database_url.parse(os.environ["DATABASE_URL"]),
    "pooled": {{
        **dj_database_url.parse(os.environ["DATABASE_URL"]),
        "OPTIONS": {{"pool": {{"min_size": 1, "max_size": 2, "timeout": 0.5}}}},
    }},
}}
INSTALLED_APPS += ["example_project.vending"]
POLICY = {{"ttl": {TTL}, "timeout": {TIMEOUT}}}
HEALTHGUARD = {{
    "SERVICES": {{
        "database": Service(
            DatabaseName("shop"),
            RequiredTables(["customers", "api_keys"]),
            AppliedMigrations(),
            ModelSchema(),
            **POLICY
        ),
        "pooled": Service(DatabaseName("shop", "pooled"), **POLICY),
        "rows": Service("faulty.ReadsRows", **POLICY),
        "anthropic": Service(AIProviderKey("anthropic"), **POLICY),
        "openai": Service(AIProviderKey("openai"), **POLICY),
        "faulty": Service("faulty.Faulty", **POLICY),
        "asynchronous": Service("faulty.FaultyAsync", **POLICY),
        "twins": Service(["faulty.Twin", "faulty.Twin"], **POLICY),
        "fine": Service("tests.support.strange_checks.Fine", **POLICY),
    }},
    "DEADLINE": {DEADLINE},
    "DETAILS_TOKENS": [{TOKEN!r}],
    "DRAIN_FILE": os.environ["DRAIN_FILE"],
}}
"""
FAULTY = (Path(__file__).parent / "faulty.py").read_text()
"""The source of the checks that fail on demand."""
HOG = """
from django.db import connections
from django.http import HttpResponse
from django.urls import path
from site_urls_usual import urlpatterns
from psycopg_pool import PoolTimeout
held = []
def hog(request):
    pool = connections["pooled"].pool
    pool.open()
    # Not within the pool's own timeout: a busy machine takes longer to connect.
    held.extend(pool.getconn(60) for _ in range(2))
    try:
        pool.getconn(0.2)
    except PoolTimeout:
        return HttpResponse("exhausted")
    return HttpResponse("there is one more", status=500)
def release(request):
    while held:
        connections["pooled"].pool.putconn(held.pop())
    connections["pooled"].close_pool()
    return HttpResponse("released")
urlpatterns = [*urlpatterns, path("hog", hog), path("release", release)]
"""


@dataclasses.dataclass(frozen=True)
class ProbeResponse:
    """The response of a pod to one probe.

    Args:
        path: the path after ``/api/health``.
        at: the time at which the response was received (``time.monotonic()`` seconds).
        reply: the HTTP response.
    """

    path: str
    at: float
    reply: Reply

    @property
    def services(self) -> dict[str, str]:
        services: dict[str, str] = self.reply.json["services"]
        return services


class Pod:
    """A server and its probes.

    Args:
        name: one of KINDS.
        folder: the folder that its project is written to.
        environment: the environment variables of its processes.
    """

    PATHS = ("/live", "/ready", "")

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        self.name = name
        kind, adaptor, options = KINDS[name]
        self.site = Site(folder)
        self.drain = folder / "drain"
        self.fault = folder / "fault"
        self.fault.write_text("")
        self.site.environment |= {**environment, "DRAIN_FILE": str(self.drain), "FAULT": str(self.fault)}
        self.site.write(SETTINGS, HOG, adaptor, site_urls_usual=URLS, faulty=FAULTY)
        self.server: Server = self.site.serve(kind, *options)

    def get(self, path: str = "", *, details: bool = False) -> ProbeResponse:
        """Request ``path`` as a load balancer does, with a Host that the plain URLs accept too."""
        headers = {"Authorization": f"Bearer {TOKEN}"} if details else {}
        reply = self.server.get(f"/api/health{path}", headers=headers, host="example.com")
        return ProbeResponse(path, time.monotonic(), reply)

    def watch(
        self, seconds: float, until: Callable[[ProbeResponse], bool] = lambda response: False
    ) -> list[ProbeResponse]:
        """Probe for ``seconds``, or until ``until`` holds for ``/api/health``, and return all responses."""
        ends = time.monotonic() + seconds
        responses: list[ProbeResponse] = []
        while time.monotonic() < ends:
            responses += [self.get(path) for path in self.PATHS]
            if until(responses[-1]):
                break
            # More frequent probes would take both cores, and the test would measure itself.
            time.sleep(0.5)
        return responses

    def has_no_run_in_flight(self) -> bool:
        """Return True if all results are fresh. Only a probe starts a run, and only for a stale result."""
        report: dict[str, Any] = self.get(details=True).reply.json
        return all(report[name].get("age_seconds", TTL) < TTL for name in report["services"])

    def first_problem(self, service: str) -> dict[str, Any]:
        """Return the first check of a service that is not healthy, or its first check if all are healthy."""
        checks: list[dict[str, Any]] = self.get(details=True).reply.json[service]["checks"]
        return next((check for check in checks if check["status"] != "healthy"), checks[0])

    def warm(self) -> None:
        """Send many requests at once, so that the server starts all of its threads."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: self.server.get("/", host="example.com"), range(40)))


class Fleet:
    """All pods. A fault of a shared dependency affects all of them at once."""

    def __init__(self, pods: Iterable[Pod]) -> None:
        self.pods = list(pods)

    def each(self, action: Callable[[Pod], T]) -> list[T]:
        """Run ``action`` for all pods at the same time, and return the results."""
        with ThreadPoolExecutor(len(self.pods)) as pool:
            return list(pool.map(action, self.pods))

    def threads(self) -> list[int]:
        return [pod.server.threads() for pod in self.pods]

    def __iter__(self) -> Iterator[Pod]:
        return iter(self.pods)


def is_healthy(response: ProbeResponse) -> bool:
    return response.reply.status == 200 and set(response.services.values()) == {"healthy"}


def server_context(authority: trustme.CA, name: str, not_after: datetime.datetime | None = None) -> ssl.SSLContext:
    """Return the TLS context of a server with a certificate for ``name``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_after=not_after).configure_cert(context)
    return context
