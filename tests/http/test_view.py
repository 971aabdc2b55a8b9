"""The view does not depend on databases with ATOMIC_REQUESTS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from healthguard.views import health
from tests.support.sites import Server, Site

RUN_TIME_ALIAS = """
from django.db import connections
from django.http import JsonResponse
from django.urls import include, path

DOWN = {"ENGINE": "django.db.backends.postgresql", "NAME": "x", "HOST": "127.0.0.1", "PORT": 1, "ATOMIC_REQUESTS": True}

def add(request):
    connections.settings["tenant"] = connections.configure_settings({"default": DOWN, "tenant": DOWN})["tenant"]
    return JsonResponse({"added": "tenant"})

urlpatterns = [path("add", add), path("api/health", include("healthguard.urls"))]
"""
DECLARATION = 'HEALTHGUARD = {"SERVICES": {"fine": "tests.support.strange_checks.Fine"}, "DEADLINE": 30}'


@pytest.fixture(scope="module", params=["gunicorn-gthread", "uvicorn"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a project in which an unreachable database with ATOMIC_REQUESTS is added after the start."""
    site = Site(tmp_path_factory.mktemp("site")).write(DECLARATION, urls=RUN_TIME_ALIAS)
    server = site.serve(request.param)
    assert server.get("/add", host="example.com").json == {"added": "tenant"}
    assert server.get("/add", host="example.com").status == 500, "the alias affects ordinary views"
    yield server
    site.stop()


@pytest.mark.parametrize("path", ["", "/live", "/ready", "/fine"])
def test_alias_added_at_run_time_does_not_break_the_answer(server: Server, path: str) -> None:
    """The response is JSON, and not an error page of Django."""
    reply = server.get(f"/api/health{path}", host="example.com")
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"


def test_the_view_is_exempt_from_transactions_of_every_alias() -> None:
    assert "an alias added later" in health._non_atomic_requests  # type: ignore[attr-defined]
