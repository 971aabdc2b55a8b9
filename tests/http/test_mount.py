"""healthguard answers the paths that the URLconf leads to it, and no others."""

from __future__ import annotations

import logging
import sys
import types
from typing import Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.core.checks import WARNING, run_checks
from django.test import override_settings
from django.urls import include, path, re_path
from django.utils.translation import gettext_lazy

from healthguard.http.mount import mounts
from healthguard.middleware import HealthGuardMiddleware
from healthguard.runtime import log
from healthguard.views import health
from tests.support import adaptors, strange_checks
from tests.support.mounts import OURS, MakeURLconf, Serve, page


def _nested(*patterns: Any) -> Any:
    """Return an include of patterns in the namespace ``api``."""
    return include((list(patterns), "api"))


MOUNTS: dict[str, tuple[list[Any], list[str]]] = {
    "plain": ([path("api/health", OURS)], ["/api/health"]),
    "with a slash": ([path("api/health/", OURS)], ["/api/health"]),
    "within a namespace": ([path("api/", _nested(path("health", OURS)))], ["/api/health"]),
    "within two namespaces": ([path("a/", _nested(path("b/", _nested(path("health", OURS)))))], ["/a/b/health"]),
    "twice": ([path("api/health", OURS), path("healthz", OURS)], ["/api/health", "/healthz"]),
    "below a captured argument": ([path("api/<str:version>/health", OURS)], ["/api/v1/health", "/api/v2/health"]),
    "below a captured argument, with a slash": ([path("api/<int:version>/health/", OURS)], ["/api/1/health"]),
    "by a regular expression": ([re_path(r"^status/health", OURS)], ["/status/health"]),
    "by a capturing regular expression": ([re_path(r"^v(?P<number>\d+)/health", OURS)], ["/v1/health", "/v22/health"]),
    "by an unnamed group": ([re_path(r"^v(\d+)/health", OURS)], ["/v1/health"]),
    "by alternatives": ([re_path(r"^(?:live|state)/health", OURS)], ["/live/health", "/state/health"]),
    "with a dot": ([path(".well-known/health.json", OURS)], ["/.well-known/health.json"]),
    "with another alphabet": ([path("gesundheit/größe", OURS)], ["/gesundheit/größe"]),
    "with a space": ([path("my health", OURS)], ["/my health"]),
    "at the root": ([path("", OURS), path("page", page)], [""]),
    "after other views": ([path("", page), path("api/", page), path("api/health", OURS)], ["/api/health"]),
    "the view alone": ([path("healthz", health)], []),
}


@pytest.mark.parametrize("name", [name for name in MOUNTS if name != "the view alone"])
def test_every_mount_is_answered(served: Serve, urlconf: MakeURLconf, name: str) -> None:
    """All paths below every mount are answered in JSON, with and without a trailing slash."""
    patterns, prefixes = MOUNTS[name]
    send = served(urlconf(*patterns))
    for prefix in prefixes:
        for rest, status in (("/live", 200), ("/ready", 200), ("/fine", 200), ("/fine/", 200), ("/live/", 200)):
            reply = send(f"{prefix}{rest}")
            assert (reply.status, reply.is_json) == (status, True), (prefix, rest, reply)
        # Without the slash, Django's middleware redirects requests for a mount with a slash before it resolves URLs.
        reply = send(f"{prefix}/")
        assert (reply.status, reply.is_json, reply.json["services"]) == (
            200,
            True,
            {"fine": "healthy", "care": "healthy"},
        )


@pytest.mark.parametrize("served", [name for name in adaptors.NAMES if name != "urls"], indirect=True)
@pytest.mark.parametrize("name", [name for name in MOUNTS if name.endswith("slash")])
def test_mount_with_a_slash_is_answered_without_it(served: Serve, urlconf: MakeURLconf, name: str) -> None:
    """A monitor gets its answer and not a redirect."""
    patterns, prefixes = MOUNTS[name]
    send = served(urlconf(*patterns))
    for prefix in prefixes:
        reply = send(prefix)
        assert (reply.status, reply.is_json) == (200, True), (prefix, reply)


@pytest.mark.parametrize("name", [name for name in MOUNTS if name not in ("the view alone", "at the root")])
def test_unknown_name_below_a_mount_is_404_in_json(served: Serve, urlconf: MakeURLconf, name: str) -> None:
    """The response for an undeclared name is healthguard's, and not a page of the project."""
    patterns, prefixes = MOUNTS[name]
    send = served(urlconf(*patterns))
    # The path of a mount with a slash below a captured argument is not known to the URL patterns.
    expected = {name != "below a captured argument, with a slash"}
    replies = [send(f"{prefix}/nope") for prefix in prefixes]
    assert {reply.status for reply in replies} == {404}
    assert {reply.is_json for reply in replies} == expected


def test_view_alone_is_answered_there_and_not_below(served: Serve, urlconf: MakeURLconf) -> None:
    """A view that is mounted without the include has no probes below its path."""
    send = served(urlconf(path("healthz", health)))
    assert send("/healthz").json["status"] == "healthy"
    assert not send("/healthz/live").is_json


@pytest.mark.parametrize("name", MOUNTS)
@pytest.mark.parametrize(
    "requested", ["/api/healthcare", "/apix/health", "/health", "/api/healt", "/x/api/health", "/v/health"]
)
def test_paths_like_that_of_a_mount_are_left_to_the_project(
    served: Serve, urlconf: MakeURLconf, name: str, requested: str
) -> None:
    """A path that only resembles a mount is not answered: healthcare is not the service care."""
    patterns, _ = MOUNTS[name]
    send = served(urlconf(*patterns, path(requested.removeprefix("/"), page)))
    assert send(requested).body == b"a page of the project"


def test_nothing_is_answered_without_a_mount(served: Serve, urlconf: MakeURLconf) -> None:
    """A project that does not mount healthguard may have its own view at /api/health."""
    send = served(urlconf(path("api/health", page), path("api/health/live", page)))
    assert send("/api/health").body == send("/api/health/live").body == b"a page of the project"


@pytest.mark.parametrize("name", ["request", "rest", "self", "captured", "arguments"])
def test_outer_pattern_may_capture_any_name(served: Serve, urlconf: MakeURLconf, name: str) -> None:
    """A name that a pattern of the project captures does not collide with a parameter of the view."""
    send = served(urlconf(path(f"<str:{name}>/health", OURS)))
    assert send("/x/health").json["status"] == "healthy"
    assert send("/x/health/live").status == 200


def test_patterns_in_a_list_of_the_project_are_a_mount(served: Serve, urlconf: MakeURLconf) -> None:
    """A project may copy the patterns from healthguard.urls instead of including the module."""
    from healthguard.urls import urlpatterns

    send = served(urlconf(path("api/health", include([*urlpatterns]))))
    assert send("/api/health").json["status"] == "healthy"
    assert send("/api/health/ready").is_json
    assert send("/api/health/fine").status == 200


def test_urlconf_that_raises_system_exit_does_not_break_the_answers() -> None:
    """A URLconf that raises SystemExit on import is reported like any other broken URLconf."""
    module = types.ModuleType("ends_the_process")
    module.__getattr__ = lambda name: sys.exit("no license")  # type: ignore[method-assign]
    sys.modules[module.__name__] = module
    override, send = adaptors.adaptor(
        "wsgi wrapper", ROOT_URLCONF=module.__name__, HEALTHGUARD={"SERVICES": {"fine": strange_checks.Fine}}
    )
    try:
        with override:
            assert send("/api/health/live").status == 200
            assert send("/api/health").status == 503
    finally:
        del sys.modules[module.__name__]


LANGUAGES = {
    "USE_I18N": True,
    "LANGUAGE_CODE": "en",
    "LANGUAGES": [("en", "English"), ("de", "German")],
    "AFTER": ["django.middleware.locale.LocaleMiddleware"],
}


@pytest.mark.parametrize("with_default", [True, False])
def test_mount_below_a_language_prefix(served: Serve, urlconf: MakeURLconf, with_default: bool) -> None:
    """Each language has its own mount, without a prefix if the default language has none."""
    patterns = i18n_patterns(path("api/health", OURS), prefix_default_language=with_default)
    send = served(urlconf(*patterns), **LANGUAGES)
    for prefix in ("/de", "/en" if with_default else ""):
        for rest, status in (("", 200), ("/live", 200), ("/ready", 200), ("/nope", 404)):
            reply = send(f"{prefix}/api/health{rest}")
            assert (reply.status, reply.is_json) == (status, True), (prefix, rest, reply)
    assert not send("/fr/api/health").is_json


def test_language_of_the_previous_request_does_not_matter(served: Serve, urlconf: MakeURLconf) -> None:
    """Django leaves the language active on the thread, but the path of the request determines the mount."""
    patterns = i18n_patterns(path("api/health", OURS), path("page", page), prefix_default_language=False)
    send = served(urlconf(*patterns), **LANGUAGES)
    assert send("/de/page").status == 200
    assert send("/api/health/live").is_json


def test_mount_with_a_translated_path(served: Serve, urlconf: MakeURLconf) -> None:
    """A lazy path is translated into the language of each request."""
    patterns = i18n_patterns(path(gettext_lazy("api/health"), OURS))
    send = served(urlconf(*patterns), **LANGUAGES)
    assert send("/de/api/health/live").is_json


def test_converter_that_raises_does_not_break_the_answers(served: Serve, urlconf: MakeURLconf) -> None:
    """A broken converter in another pattern of the URLconf does not affect the mount."""
    from django.urls import register_converter
    from django.urls.converters import StringConverter, get_converters

    class Raises(StringConverter):
        def to_python(self, value: str) -> str:
            raise RuntimeError(value)

    if "raises" not in get_converters():
        register_converter(Raises, "raises")
    send = served(urlconf(path("api/health", OURS), path("api/health/<raises:x>", page), path("<raises:y>", page)))
    assert send("/api/health").is_json


@pytest.mark.parametrize("name", ["middleware", "wsgi wrapper", "asgi wrapper"])
def test_explicit_mount_is_answered_without_a_urlconf(urlconf: MakeURLconf, name: str) -> None:
    """MOUNT is for projects that select the URLconf later, for example by host."""
    declared = {"SERVICES": {"fine": strange_checks.Fine}, "INLINE": True, "MOUNT": "/internal/health/"}
    override, send = adaptors.adaptor(name, ROOT_URLCONF=urlconf(path("", page)), HEALTHGUARD=declared)
    with override:
        assert send("/internal/health", host="api.example.com").json["status"] == "healthy"
        assert send("/internal/health/live", host="10.0.0.1").status == 200
        assert not send("/api/health").is_json


@pytest.mark.parametrize("name", ["wsgi wrapper", "asgi wrapper"])
def test_broken_urlconf_is_unhealthy_at_the_default_path(name: str) -> None:
    """While the mount is unknown, the default path is answered, and never as healthy."""
    override, send = adaptors.adaptor(
        name, ROOT_URLCONF="no.such.module", HEALTHGUARD={"INLINE": True, "SERVICES": {"fine": strange_checks.Fine}}
    )
    with override:
        reply = send("/api/health")
        assert (reply.status, reply.json["services"]) == (503, {"fine": "healthy", "healthguard": "unhealthy"})
        section = send("/api/health/healthguard")
        assert (section.status, section.json) == (503, {"status": "unhealthy"})
        assert send("/api/health/live").status == 200


def test_system_check_warns_if_nothing_is_mounted(urlconf: MakeURLconf) -> None:
    """Without a mount, neither the middleware nor the wrappers can answer."""
    with override_settings(ROOT_URLCONF=urlconf(path("", page))):
        (message,) = [message for message in run_checks() if message.id == "healthguard.W003"]
        assert message.level == WARNING
        assert message.hint
        with override_settings(HEALTHGUARD={"MOUNT": "/health"}):
            assert not [message for message in run_checks() if message.id == "healthguard.W003"]
    with override_settings(ROOT_URLCONF=urlconf(path("x", _nested(path("y", OURS))))):
        assert not [message for message in run_checks() if message.id == "healthguard.W003"]


def test_mount_is_found_again_when_the_urlconf_changes(urlconf: MakeURLconf) -> None:
    """The settings that a test overrides take effect immediately."""
    with override_settings(ROOT_URLCONF=urlconf(path("one", OURS))):
        assert mounts().rest_of("/one/live") == "/live"
        with override_settings(ROOT_URLCONF=urlconf(path("two", OURS))):
            assert mounts().rest_of("/one/live") is None
            assert mounts().rest_of("/two") == ""


def test_middleware_that_is_not_first_logs_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Instrumentation inserts its middleware when the server starts, after all system checks have run."""
    log.forget()
    with (
        override_settings(MIDDLEWARE=["django.middleware.common.CommonMiddleware", adaptors.MIDDLEWARE]),
        caplog.at_level(logging.WARNING, "healthguard"),
    ):
        for _ in range(3):
            HealthGuardMiddleware(page)
        assert log.flush(60)
        assert caplog.text.count("CommonMiddleware is listed before healthguard's middleware") == 1
        assert "wrap the WSGI or ASGI application" in caplog.text


def test_middleware_that_is_first_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The warning about the order is not logged if the order is correct."""
    log.forget()
    with (
        override_settings(MIDDLEWARE=[adaptors.MIDDLEWARE, "django.middleware.common.CommonMiddleware"]),
        caplog.at_level(logging.WARNING, "healthguard"),
    ):
        HealthGuardMiddleware(page)
        assert log.flush(60)
    assert "is listed before" not in caplog.text
