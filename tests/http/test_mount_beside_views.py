"""A view of the project beside or below a mount is served exactly where Django would serve it."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.core.checks import run_checks
from django.test import override_settings
from django.urls import include, path, re_path, register_converter
from django.urls.converters import StringConverter, get_converters

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
    "a page at a captured place": ([path("api/<slug:x>", page), path("api/health", OURS)], "/api/health"),
    "a page below a captured argument": ([path("<slug:t>/health", page), path("api/health", OURS)], "/api/health"),
    "a page by an open regular expression": ([re_path("^api/", page), path("api/health", OURS)], "/api/health/live"),
    "a page of the default language": (
        [*i18n_patterns(path("<slug:t>/health", page), prefix_default_language=False), path("api/health", OURS)],
        "/api/health",
    ),
    "a page instead of a missing slash": ([path("health/", OURS), path("health", page)], "/health"),
    "a captured page instead of a missing slash": ([path("health/", OURS), path("<slug:x>", page)], "/health"),
}


@pytest.mark.parametrize("name", PROJECT_VIEWS_FIRST)
def test_view_that_django_prefers_is_not_hidden(served: Serve, urlconf: MakeURLconf, name: str) -> None:
    """Django takes the first pattern that matches, and so does every adaptor."""
    patterns, requested = PROJECT_VIEWS_FIRST[name]
    assert served(urlconf(*patterns))(requested).body == PAGE


@pytest.mark.parametrize("route", ["health/", "<slug:tenant>/health/"])
def test_page_listed_last_does_not_hide_the_mount(served: Serve, urlconf: MakeURLconf, route: str) -> None:
    """Django prefers the mount, because it is listed first."""
    send = served(urlconf(path(route, OURS), path(route, page)))
    assert send(f"/{route.replace('<slug:tenant>', 'x')}").is_json


HIDING: dict[str, tuple[list[Any], list[str]]] = {
    "by a captured place": ([path("api/<slug:x>", page), path("api/health", OURS)], ["/api/health"]),
    "with a slash": ([path("<slug:x>/", page), path("health/", OURS)], ["/health"]),
    "at the same place": ([path("api/health", page), path("api/health", OURS)], ["/api/health"]),
    "one of two": ([path("a/<slug:x>", page), path("a/health", OURS), path("b/health", OURS)], ["/a/health"]),
    "not by a page listed last": ([path("api/health", OURS), path("api/<slug:x>", page)], []),
    "not at the root": ([path("", page), path("", OURS)], []),
    "not by a page for any path": ([path("<path:x>", page), path("api/health", OURS)], []),
}


@pytest.mark.parametrize("name", HIDING)
def test_system_check_warns_about_a_hidden_mount(urlconf: MakeURLconf, name: str) -> None:
    """A view of the project that Django prefers is reported, because no adaptor answers at its path."""
    patterns, hidden = HIDING[name]
    with override_settings(ROOT_URLCONF=urlconf(*patterns)):
        messages = [message.msg for message in run_checks() if message.id == "healthguard.W003"]
    assert [message.split()[2] for message in messages] == hidden


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


@pytest.mark.parametrize("requested", ["/api/healthcare", "/api/healthlive"])
@pytest.mark.parametrize("other", ["status/", ""])
def test_second_mount_does_not_answer_paths_like_that_of_the_first(
    served: Serve, urlconf: MakeURLconf, requested: str, other: str
) -> None:
    """Each mount decides by its own slash: healthcare is not the service care below another mount's slash."""
    beside = path(requested.removeprefix("/"), page)
    send = served(urlconf(path("api/health", OURS), path(other, OURS), beside))
    assert send(requested).body == PAGE
    assert send(f"/{other}care").json == send("/api/health/care").json == {"status": "healthy"}


def test_shared_list_with_and_without_a_slash_does_not_hide_views(served: Serve, urlconf: MakeURLconf) -> None:
    """If one include is reached with and without a slash, the URL patterns take it as without."""
    common = [path("", OURS)]
    send = served(urlconf(path("a/health", include(common)), path("b/health/", include([*common]))))
    assert send("/a/health/care").json == {"status": "healthy"}
    assert send("/b/health/").json["status"] == "healthy"
    assert not send("/a/healthcare").is_json


def test_broken_include_after_a_mount_does_not_break_the_answers(urlconf: MakeURLconf) -> None:
    """Django finds an include without patterns only when it comes to it."""
    empty = path("x/", include("tests.http"))
    override, send = adaptors.adaptor(
        "urls",
        ROOT_URLCONF=urlconf(path("health/", OURS), empty),
        HEALTHGUARD={"SERVICES": {"fine": strange_checks.Fine}, "INLINE": True},
    )
    with override:
        assert send("/health/live").is_json
        assert send("/health/fine").is_json


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("name", ["module", "tuple"])
def test_mount_in_a_urlconf_per_host_is_answered(served: Serve, urlconf: MakeURLconf, name: str, slash: str) -> None:
    """The URL patterns answer in a URLconf that a middleware chooses, although ROOT_URLCONF has no mount."""
    patterns = (path(f"health{slash}", OURS), path("health/dashboard", page))
    chosen = urlconf(*patterns) if name == "module" else patterns
    send = served(urlconf(path("", page)), **_per_host(chosen))
    for rest in ("/", "/live", "/care", "/care/", "/ready"):
        reply = send(f"/health{rest}")
        assert (reply.status, reply.is_json) == (200, True), (rest, reply)
    reply = send("/health/nope")
    assert (reply.status, reply.is_json) == (404, True)


def test_view_of_a_urlconf_per_host_is_served_below_a_mount_with_a_slash(served: Serve, urlconf: MakeURLconf) -> None:
    """Unknown names below such a mount are left to the URLconf of the request, also if ROOT_URLCONF has the mount."""
    mount = path("health/", OURS)
    chosen = urlconf(path("inner/", include([mount])), path("inner/health/dashboard", page))
    send = served(urlconf(mount), **_per_host(chosen))
    assert send("/inner/health/care").is_json
    assert send("/inner/health/dashboard").body == PAGE
    assert send("/inner/health/nope").is_json


BELOW_A_SLASH: dict[str, list[Any]] = {
    "listed first": [path("health/dashboard", page), path("health/", OURS)],
    "listed last": [path("health/", OURS), path("health/dashboard", page)],
    "below another include": [path("health/", OURS), path("health/", include([path("<slug:name>", page)]))],
    "in the same include": [path("health/", include([path("", OURS), path("dashboard", page)]))],
    "for any path": [path("health/", OURS), re_path("", page)],
}


@pytest.mark.parametrize("name", BELOW_A_SLASH)
def test_view_below_a_mount_with_a_slash_is_not_hidden(served: Serve, urlconf: MakeURLconf, name: str) -> None:
    """The JSON answer for an unknown name is sent only if no view of the project has the path."""
    send = served(urlconf(*BELOW_A_SLASH[name]))
    assert send("/health/dashboard").body == PAGE
    assert send("/health/care").is_json


def test_redirect_to_a_view_below_a_mount_with_a_slash_is_kept(served: Serve, urlconf: MakeURLconf) -> None:
    """Django adds the slash that the path of a project's view needs."""
    send = served(urlconf(path("health/", OURS), path("health/dashboard/", page)))
    reply = send("/health/dashboard")
    assert (reply.status, reply.headers["location"]) == (301, "/health/dashboard/")
    assert send("/health/dashboard/").body == PAGE


def test_names_at_the_root_are_left_to_the_project(served: Serve, urlconf: MakeURLconf) -> None:
    """A mount at the root does not answer for the whole site."""
    send = served(urlconf(path("", OURS)))
    assert not send("/nope").is_json
    assert not send("/a/b").is_json


@pytest.mark.parametrize("name", ["urls", "middleware", "wsgi wrapper"])
def test_empty_path_is_that_of_the_root(urlconf: MakeURLconf, name: str) -> None:
    """A server sends an empty PATH_INFO if the request ends with the script name."""
    patterns = {"home first": [path("", page), path("", OURS)], "mount first": [path("", OURS), path("", page)]}
    bodies = {}
    for order, listed in patterns.items():
        override, send = adaptors.adaptor(
            name, ROOT_URLCONF=urlconf(*listed), HEALTHGUARD={"SERVICES": {"fine": strange_checks.Fine}, "INLINE": True}
        )
        with override:
            bodies[order] = send("", SCRIPT_NAME="/app").body
    assert bodies["home first"] == PAGE
    assert bodies["mount first"].startswith(b"{")


def test_converter_of_the_project_is_not_called_for_a_probe(urlconf: MakeURLconf) -> None:
    """A converter may query the database, on which /live must not depend."""
    called: list[str] = []

    class Queries(StringConverter):
        def to_python(self, value: str) -> str:
            called.append(value)
            return value

    if "queries" not in get_converters():
        register_converter(Queries, "queries")
    override, send = adaptors.adaptor(
        "middleware",
        ROOT_URLCONF=urlconf(path("<queries:tenant>/", include([path("health/live", page)])), path("api/health", OURS)),
        HEALTHGUARD={"SERVICES": {"fine": strange_checks.Fine}, "INLINE": True},
    )
    with override:
        assert send("/api/health/live").is_json
    assert called == []


def _per_host(urlconf: object) -> dict[str, Any]:
    """Return the settings of a project whose middleware chooses ``urlconf``."""
    return {"AFTER": ["tests.support.mounts.choose_urlconf"], "URLCONF_OF_HOST": urlconf}
