"""A view of the project beside or below a mount is served exactly where Django would serve it."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import path

from tests.support import adaptors, strange_checks
from tests.support.mounts import OURS, PAGE, MakeURLconf, Serve, page

PROJECT_VIEWS_FIRST: dict[str, tuple[list[Any], str]] = {
    "the home page": ([path("", page), path("", OURS)], "/"),
    "a page at the root": ([path("ready", page), path("", OURS)], "/ready"),
    "a page beside a captured argument": ([path("admin/health", page), path("<slug:t>/health", OURS)], "/admin/health"),
    "a page after a mount with a slash": (
        [path("api/health/", OURS), path("api/health/report", page)],
        "/api/health/report",
    ),
    "a page at the same place": ([path("api/health", page), path("api/health", OURS)], "/api/health"),
}


@pytest.mark.parametrize("name", PROJECT_VIEWS_FIRST)
def test_view_that_django_prefers_is_not_hidden(served: Serve, urlconf: MakeURLconf, name: str) -> None:
    """Django takes the first pattern that matches, and so does every adaptor."""
    patterns, requested = PROJECT_VIEWS_FIRST[name]
    assert served(urlconf(*patterns))(requested).body == PAGE


def test_page_for_any_path_does_not_hide_the_mount(urlconf: MakeURLconf) -> None:
    """A single-page application that is listed first must not answer the probes instead of healthguard."""
    override, send = adaptors.adaptor(
        "middleware",
        ROOT_URLCONF=urlconf(path("<path:anything>", page), path("api/health", OURS)),
        HEALTHGUARD={"SERVICES": {"fine": strange_checks.Fine}, "INLINE": True},
    )
    with override:
        assert send("/api/health/ready").is_json


def test_view_below_the_mount_is_not_hidden(served: Serve, urlconf: MakeURLconf) -> None:
    """A view of the project that the URLconf lists before the include is not hidden by it."""
    send = served(
        urlconf(
            path("api/health/dashboard", page), path("api/health/report/<int:number>", page), path("api/health", OURS)
        )
    )
    assert send("/api/health/dashboard").body == send("/api/health/report/5").body == PAGE
    assert send("/api/health/report/x").is_json
    assert send("/api/health").json["status"] == "healthy"
