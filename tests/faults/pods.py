"""The pods that faults are played against: real servers of one project, one a kind, and what they answer meanwhile."""

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

from tests.sites import URLS, Reply, Server, Site

T = TypeVar("T")

TOKEN = "faults-token-0123456789"
TTL, TIMEOUT, DEADLINE = 0.5, 6.0, 0.8
SLACK = 60.0
"""How long a busy machine may take beyond what is measured on an idle one, before a wait ends (seconds)."""
GENEROUS = 5.0
"""How long any single answer may take before a test complains (seconds): far above DEADLINE, and below TIMEOUT, for
which an answer would take that waited for what hangs."""

KINDS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "gunicorn sync": ("gunicorn-sync", "middleware", ()),
    "gunicorn gthread": ("gunicorn-gthread", "wrapper", ()),
    "gunicorn --preload": ("gunicorn-gthread", "urls", ("--preload",)),
    "uvicorn": ("uvicorn", "middleware", ()),
}
"""The server, the way in, and the server's options, by name."""

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
        "fine": Service("tests.strange_checks.Fine", **POLICY),
    }},
    "DEADLINE": {DEADLINE},
    "DETAILS_TOKENS": [{TOKEN!r}],
    "DRAIN_FILE": os.environ["DRAIN_FILE"],
}}
"""
FAULTY = (Path(__file__).parent / "faulty.py").read_text()
"""Checks that go wrong as a file tells them; see there."""
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
    held.extend(pool.getconn() for _ in range(2))
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
class Answer:
    """One answer of a pod.

    Args:
        path: what was asked, behind ``/api/health``.
        at: when it came (``time.monotonic()`` seconds).
        reply: what came.
    """

    path: str
    at: float
    reply: Reply

    @property
    def services(self) -> dict[str, str]:
        return self.reply.json["services"]


class Pod:
    """A server, and its probes.

    Args:
        name: one of KINDS.
        folder: where its project is written.
        environment: what its processes find in their environment.
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

    def ask(self, path: str = "", *, details: bool = False) -> Answer:
        """Ask as a load balancer does, with a Host that the plain URLs take too."""
        headers = {"Authorization": f"Bearer {TOKEN}"} if details else {}
        reply = self.server.get(f"/api/health{path}", headers=headers, host="example.com")
        return Answer(path, time.monotonic(), reply)

    def watch(self, seconds: float, until: Callable[[Answer], bool] = lambda answer: False) -> list[Answer]:
        """Probe for so long, or until ``until`` holds for an answer of ``/api/health``; everything that came."""
        ends = time.monotonic() + seconds
        answers: list[Answer] = []
        while time.monotonic() < ends:
            answers += [self.ask(path) for path in self.PATHS]
            if until(answers[-1]):
                break
            # More often it takes both cores, and what is measured is the test.
            time.sleep(0.25)
        return answers

    def problem(self, service: str) -> dict[str, Any]:
        """The first thing wrong with a service, as somebody with details is told it."""
        checks = self.ask(details=True).reply.json[service]["checks"]
        return next((check for check in checks if check["status"] != "healthy"), checks[0])

    def warm(self) -> None:
        """Let the server start all the threads of its own."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: self.server.get("/", host="example.com"), range(40)))


class Fleet:
    """All the pods, side by side: a shared fault meets all of them at once."""

    def __init__(self, pods: Iterable[Pod]) -> None:
        self.pods = list(pods)

    def each(self, action: Callable[[Pod], T]) -> list[T]:
        """The results of ``action`` for every pod, all at the same time."""
        with ThreadPoolExecutor(len(self.pods)) as pool:
            return list(pool.map(action, self.pods))

    def threads(self) -> list[int]:
        return [pod.server.threads() for pod in self.pods]

    def __iter__(self) -> Iterator[Pod]:
        return iter(self.pods)


def is_well(answer: Answer) -> bool:
    return answer.reply.status == 200 and set(answer.services.values()) == {"healthy"}


def certified(authority: trustme.CA, name: str, not_after: datetime.datetime | None = None) -> ssl.SSLContext:
    """What a server proves with that it is ``name``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_after=not_after).configure_cert(context)
    return context
