"""healthguard answers exactly where the URLconf leads to it, and nowhere else."""

from __future__ import annotations

import logging
import sys
import types
from collections.abc import Callable, Iterator

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.core.checks import WARNING, run_checks
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import include, path, re_path
from django.utils.translation import gettext_lazy

from healthguard import log
from healthguard.middleware import HealthGuardMiddleware
from healthguard.mount import mounts
from healthguard.views import health
from tests import adaptors, strange_checks

OURS = include("healthguard.urls")


def page(request: HttpRequest, **captured: object) -> HttpResponse:
    """A page of the project."""
    return HttpResponse("a page of the project")


@pytest.fixture
def urlconf() -> Iterator[Callable[..., str]]:
    """Make a URLconf of patterns, and return its name."""
    names: list[str] = []

    def make(*patterns: object, **attributes: object) -> str:
        module = types.ModuleType(f"urlconf_{len(names)}")
        module.urlpatterns = list(patterns)  # type: ignore[attr-defined]
        vars(module).update(attributes)
        sys.modules[module.__name__] = module
        names.append(module.__name__)
        return module.__name__

    yield make
    for name in names:
        del sys.modules[name]


@pytest.fixture(params=adaptors.NAMES)
def served(request) -> Iterator[Callable[..., Callable[..., adaptors.Reply]]]:
    """Serve a URLconf with each adaptor: ``ask = served(urlconf, **settings)``."""
    enabled: list[override_settings] = []

    def serve(root: str, **settings: object) -> Callable[..., adaptors.Reply]:
        services = {"fine": strange_checks.Fine, "care": strange_checks.Fine}
        declared = {"SERVICES": services, "INLINE": True, **settings.pop("HEALTHGUARD", {})}
        override, ask = adaptors.adaptor(request.param, ROOT_URLCONF=root, HEALTHGUARD=declared, **settings)
        override.enable()
        enabled.append(override)
        return ask

    yield serve
    for override in reversed(enabled):
        override.disable()


def _nested(*patterns: object) -> object:
    return include((list(patterns), "api"))


MOUNTS = {
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
def test_every_mount_is_answered(served, urlconf, name: str) -> None:
    """All paths below every mount are answered in JSON, with and without the last slash."""
    patterns, prefixes = MOUNTS[name]
    ask = served(urlconf(*patterns))
    for prefix in prefixes:
        for rest, status in (("/live", 200), ("/ready", 200), ("/fine", 200), ("/fine/", 200), ("/live/", 200)):
            reply = ask(f"{prefix}{rest}")
            assert (reply.status, reply.is_json) == (status, True), (prefix, rest, reply)
        # Without its last slash, Django's own middleware redirects to a mount with one before plain URLs are asked.
        reply = ask(f"{prefix}/")
        assert (reply.status, reply.is_json, reply.json["services"]) == (
            200,
            True,
            {"fine": "healthy", "care": "healthy"},
        )


@pytest.mark.parametrize("name", [name for name in MOUNTS if name not in ("the view alone", "at the root")])
def test_unknown_name_below_a_mount_is_404_in_json(served, urlconf, name: str) -> None:
    """A name that is not declared is reported as such, and not by a page of the project."""
    patterns, prefixes = MOUNTS[name]
    ask = served(urlconf(*patterns))
    # Below a mount with a slash, the plain URLs leave unknown names to the project.
    for prefix in [] if name.endswith("slash") else prefixes:
        reply = ask(f"{prefix}/nope")
        assert (reply.status, reply.is_json) == (404, True), reply


def test_view_alone_is_answered_there_and_not_below(served, urlconf) -> None:
    """A view that is mounted without the include has no probes below it."""
    ask = served(urlconf(path("healthz", health)))
    assert ask("/healthz").json["status"] == "healthy"
    assert not ask("/healthz/live").is_json


@pytest.mark.parametrize("name", MOUNTS)
@pytest.mark.parametrize(
    "asked", ["/api/healthcare", "/apix/health", "/health", "/api/healt", "/x/api/health", "/v/health"]
)
def test_nothing_else_is_answered(served, urlconf, name: str, asked: str) -> None:
    """A path that only looks like a mount is left to the project; healthcare is not the service care."""
    patterns, _ = MOUNTS[name]
    ask = served(urlconf(*patterns, path(asked.removeprefix("/"), page)))
    assert ask(asked).body == b"a page of the project"


def test_where_nothing_is_mounted_nothing_is_answered(served, urlconf) -> None:
    """A view of the project at /api/health stays visible."""
    ask = served(urlconf(path("api/health", page), path("api/health/live", page)))
    assert ask("/api/health").body == ask("/api/health/live").body == b"a page of the project"


OWN_FIRST = {
    "the home page": ([path("", page), path("", OURS)], "/"),
    "a page at the root": ([path("ready", page), path("", OURS)], "/ready"),
    "a page beside a captured argument": ([path("admin/health", page), path("<slug:t>/health", OURS)], "/admin/health"),
    "a page after a mount with a slash": (
        [path("api/health/", OURS), path("api/health/report", page)],
        "/api/health/report",
    ),
    "a page at the same place": ([path("api/health", page), path("api/health", OURS)], "/api/health"),
}


@pytest.mark.parametrize("name", OWN_FIRST)
def test_view_of_the_project_that_django_prefers_keeps_its_place(served, urlconf, name: str) -> None:
    """Django takes the first pattern that matches, and so does every adaptor."""
    patterns, asked = OWN_FIRST[name]
    assert served(urlconf(*patterns))(asked).body == b"a page of the project"


def test_page_for_any_path_does_not_hide_the_mount(urlconf) -> None:
    """A single-page application that is listed first must not answer the probes in place of healthguard."""
    override, ask = adaptors.adaptor(
        "middleware",
        ROOT_URLCONF=urlconf(path("<path:anything>", page), path("api/health", OURS)),
        HEALTHGUARD={"SERVICES": {"fine": strange_checks.Fine}, "INLINE": True},
    )
    with override:
        assert ask("/api/health/ready").is_json


@pytest.mark.parametrize("name", ["request", "rest", "self", "captured", "arguments"])
def test_outer_pattern_may_capture_any_name(served, urlconf, name: str) -> None:
    """No name in a pattern of the project collides with those of the view."""
    ask = served(urlconf(path(f"<str:{name}>/health", OURS)))
    assert ask("/x/health").json["status"] == "healthy"
    assert ask("/x/health/live").status == 200


def test_patterns_in_a_list_of_the_projects_own_are_a_mount(served, urlconf) -> None:
    """Also where they were copied out of healthguard.urls."""
    from healthguard.urls import urlpatterns

    ask = served(urlconf(path("api/health", include([*urlpatterns]))))
    assert ask("/api/health").json["status"] == "healthy"
    assert ask("/api/health/ready").is_json
    assert ask("/api/health/fine").status == 200


def test_urlconf_that_ends_the_process_costs_no_answer() -> None:
    """A SystemExit while it is imported is a broken URLconf like any other."""
    module = types.ModuleType("ends_the_process")
    module.__getattr__ = lambda name: sys.exit("no license")  # type: ignore[method-assign]
    sys.modules[module.__name__] = module
    override, ask = adaptors.adaptor(
        "wsgi wrapper", ROOT_URLCONF=module.__name__, HEALTHGUARD={"SERVICES": {"fine": strange_checks.Fine}}
    )
    try:
        with override:
            assert ask("/api/health/live").status == 200
            assert ask("/api/health").status == 503
    finally:
        del sys.modules[module.__name__]


def test_view_of_the_project_below_the_mount_keeps_its_place(served, urlconf) -> None:
    """The include does not hide a view that the URLconf lists before it."""
    ask = served(
        urlconf(
            path("api/health/dashboard", page), path("api/health/report/<int:number>", page), path("api/health", OURS)
        )
    )
    assert ask("/api/health/dashboard").body == ask("/api/health/report/5").body == b"a page of the project"
    assert ask("/api/health/report/x").is_json
    assert ask("/api/health").json["status"] == "healthy"


LANGUAGES = {
    "USE_I18N": True,
    "LANGUAGE_CODE": "en",
    "LANGUAGES": [("en", "English"), ("de", "German")],
    "AFTER": ["django.middleware.locale.LocaleMiddleware"],
}


@pytest.mark.parametrize("with_default", [True, False])
def test_mount_below_a_language_prefix(served, urlconf, with_default: bool) -> None:
    """Each language has its own mount; where the default language has no prefix, it is mounted without one."""
    patterns = i18n_patterns(path("api/health", OURS), prefix_default_language=with_default)
    ask = served(urlconf(*patterns), **LANGUAGES)
    for prefix in ("/de", "/en" if with_default else ""):
        for rest, status in (("", 200), ("/live", 200), ("/ready", 200), ("/nope", 404)):
            reply = ask(f"{prefix}/api/health{rest}")
            assert (reply.status, reply.is_json) == (status, True), (prefix, rest, reply)
    assert not ask("/fr/api/health").is_json


def test_language_of_the_request_before_does_not_matter(served, urlconf) -> None:
    """Django leaves a language active on the thread; the mount goes by the path."""
    patterns = i18n_patterns(path("api/health", OURS), path("page", page), prefix_default_language=False)
    ask = served(urlconf(*patterns), **LANGUAGES)
    assert ask("/de/page").status == 200
    assert ask("/api/health/live").is_json


def test_mount_with_a_translated_path(served, urlconf) -> None:
    """A lazy path is that of the language in each request."""
    patterns = i18n_patterns(path(gettext_lazy("api/health"), OURS))
    ask = served(urlconf(*patterns), **LANGUAGES)
    assert ask("/de/api/health/live").is_json


def test_converter_that_raises_is_the_projects_concern(served, urlconf) -> None:
    """A broken converter elsewhere in the URLconf costs no health answer."""
    from django.urls import register_converter
    from django.urls.converters import StringConverter, get_converters

    class Raises(StringConverter):
        def to_python(self, value: str) -> str:
            raise RuntimeError(value)

    if "raises" not in get_converters():
        register_converter(Raises, "raises")
    ask = served(urlconf(path("api/health", OURS), path("api/health/<raises:x>", page), path("<raises:y>", page)))
    assert ask("/api/health").is_json


@pytest.mark.parametrize("name", ["middleware", "wsgi wrapper", "asgi wrapper"])
def test_explicit_mount_is_answered_without_a_urlconf(urlconf, name: str) -> None:
    """The setting MOUNT is for a URLconf that is chosen later, by host for example."""
    declared = {"SERVICES": {"fine": strange_checks.Fine}, "INLINE": True, "MOUNT": "/internal/health/"}
    override, ask = adaptors.adaptor(name, ROOT_URLCONF=urlconf(path("", page)), HEALTHGUARD=declared)
    with override:
        assert ask("/internal/health", host="api.example.com").json["status"] == "healthy"
        assert ask("/internal/health/live", host="10.0.0.1").status == 200
        assert not ask("/api/health").is_json


@pytest.mark.parametrize("name", ["wsgi wrapper", "asgi wrapper"])
def test_broken_urlconf_is_red_at_the_usual_place(name: str) -> None:
    """As long as nobody can tell where it is mounted, the usual path is answered, and never green."""
    override, ask = adaptors.adaptor(
        name, ROOT_URLCONF="no.such.module", HEALTHGUARD={"INLINE": True, "SERVICES": {"fine": strange_checks.Fine}}
    )
    with override:
        reply = ask("/api/health")
        assert (reply.status, reply.json["services"]) == (503, {"fine": "healthy", "healthguard": "unhealthy"})
        section = ask("/api/health/healthguard")
        assert (section.status, section.json) == (503, {"status": "unhealthy"})
        assert ask("/api/health/live").status == 200


def test_check_warns_where_nothing_is_mounted(urlconf) -> None:
    """Neither middleware nor wrapper can answer then."""
    with override_settings(ROOT_URLCONF=urlconf(path("", page))):
        (message,) = [message for message in run_checks() if message.id == "healthguard.W003"]
        assert message.level == WARNING
        assert message.hint
        with override_settings(HEALTHGUARD={"MOUNT": "/health"}):
            assert not [message for message in run_checks() if message.id == "healthguard.W003"]
    with override_settings(ROOT_URLCONF=urlconf(path("x", _nested(path("y", OURS))))):
        assert not [message for message in run_checks() if message.id == "healthguard.W003"]


def test_mount_is_found_anew_when_the_urlconf_changes(urlconf) -> None:
    """Settings that a test overrides count at once."""
    with override_settings(ROOT_URLCONF=urlconf(path("one", OURS))):
        assert mounts().rest_of("/one/live") == "/live"
        with override_settings(ROOT_URLCONF=urlconf(path("two", OURS))):
            assert mounts().rest_of("/one/live") is None
            assert mounts().rest_of("/two") == ""


def test_middleware_that_is_not_first_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """Instrumentation inserts its own middleware when the server starts, after all checks."""
    log.forget()
    with (
        override_settings(MIDDLEWARE=["django.middleware.common.CommonMiddleware", adaptors.MIDDLEWARE]),
        caplog.at_level(logging.WARNING, "healthguard"),
    ):
        for _ in range(3):
            HealthGuardMiddleware(page)
        assert log.flush(60)
        assert caplog.text.count("CommonMiddleware stands before healthguard's middleware") == 1
        assert "wrap the WSGI or ASGI application" in caplog.text


def test_middleware_that_is_first_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is logged where all is well."""
    log.forget()
    with (
        override_settings(MIDDLEWARE=[adaptors.MIDDLEWARE, "django.middleware.common.CommonMiddleware"]),
        caplog.at_level(logging.WARNING, "healthguard"),
    ):
        HealthGuardMiddleware(page)
        assert log.flush(60)
    assert "stands before" not in caplog.text
