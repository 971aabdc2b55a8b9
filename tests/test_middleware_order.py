"""W001 names the middleware before healthguard's that can turn a probe away, and no other."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseForbidden
from django.test import RequestFactory, override_settings
from django.utils.deprecation import MiddlewareMixin

from healthguard.middleware_code import can_answer

OURS = "healthguard.middleware.HealthGuardMiddleware"


def warnings(*before: str) -> list[str]:
    with override_settings(MIDDLEWARE=[*before, OURS]):
        return [message.msg for message in run_checks() if message.id == "healthguard.W001"]


@pytest.mark.parametrize(
    "name",
    [
        "django.middleware.cache.UpdateCacheMiddleware",
        "django_prometheus.middleware.PrometheusBeforeMiddleware",
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.locale.LocaleMiddleware",
        "django.middleware.security.SecurityMiddleware",
        "whitenoise.middleware.WhiteNoiseMiddleware",
        "corsheaders.middleware.CorsMiddleware",
        "no.such.Middleware",
    ],
)
def test_what_passes_probes_on_is_no_warning(name) -> None:
    assert warnings(name) == []


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("django.middleware.common.CommonMiddleware", {}, "ALLOWED_HOSTS"),
        ("django.middleware.security.SecurityMiddleware", {"SECURE_SSL_REDIRECT": True}, "https"),
        ("django.middleware.cache.FetchFromCacheMiddleware", {}, "cache"),
        ("django.contrib.sites.middleware.CurrentSiteMiddleware", {}, "database"),
        ("django_hosts.middleware.HostsRequestMiddleware", {}, "Host"),
        ("opentelemetry.instrumentation.django.middleware.otel_middleware._DjangoMiddleware", {}, "ALLOWED_HOSTS"),
        ("django_tenants.middleware.main.TenantMainMiddleware", {}, "tenant"),
    ],
)
def test_what_can_turn_probes_away_is_named(name, settings, words) -> None:
    with override_settings(**settings):
        (message,) = warnings("django.middleware.gzip.GZipMiddleware", name)
    assert name in message
    assert words in message
    assert "GZip" not in message


def test_any_host_is_allowed() -> None:
    with override_settings(ALLOWED_HOSTS=["*"]):
        assert warnings("django.middleware.common.CommonMiddleware") == []


def test_all_of_them_are_named() -> None:
    with override_settings(SECURE_SSL_REDIRECT=True):
        (message,) = warnings(
            "django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"
        )
    assert "SecurityMiddleware" in message
    assert "CommonMiddleware" in message


class AddsAHeader:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        response["X-Something"] = "1"
        return response


class Times(AddsAHeader):
    def __call__(self, request):
        try:
            return self.measured(request)
        finally:
            pass

    def measured(self, request):
        return self.get_response(request)


class BothWays(AddsAHeader):
    def __call__(self, request):
        if self.is_async:
            return self.__acall__(request)
        response = self.get_response(request)
        return self.changed(response)

    async def __acall__(self, request):
        response = await self.get_response(request)
        return self.changed(response)

    def changed(self, response):
        return response


class Hook(MiddlewareMixin):
    def process_request(self, request):
        request.seen = True

    def process_response(self, request, response):
        return HttpResponse("changed") if response is None else response


class ReadsTheHostCarefully(AddsAHeader):
    def __call__(self, request):
        try:
            request.host = request.get_host()
        except Exception:
            request.host = ""
        return self.get_response(request)


def written_as_a_function(get_response):
    def middleware(request):
        request.seen = True
        return get_response(request)

    return middleware


class Refuses(AddsAHeader):
    def __call__(self, request):
        if not request.user.is_authenticated:
            return HttpResponseForbidden()
        return self.get_response(request)


class RefusesByAName(AddsAHeader):
    def __call__(self, request):
        response = self.get_response(request)
        if request.GET:
            response = HttpResponse(status=503)
        return response


class RefusesInAMethod(AddsAHeader):
    def __call__(self, request):
        if request.GET:
            return self.closed(request)
        return self.get_response(request)

    def closed(self, request):
        return HttpResponse("closed", status=503)


class RefusesInAHook(MiddlewareMixin):
    def process_request(self, request):
        if request.GET:
            return HttpResponse("closed", status=503)
        return None


class Raises(AddsAHeader):
    def __call__(self, request):
        if not request.GET:
            raise PermissionDenied
        return self.get_response(request)


class ReadsTheHost(AddsAHeader):
    def __call__(self, request):
        request.site = request.get_host()
        return self.get_response(request)


class Redirects(AddsAHeader):
    async def __call__(self, request):
        from django.shortcuts import redirect

        if request.path.startswith("/old"):
            return redirect("/new")
        return await self.get_response(request)


def refusing_function(get_response):
    def middleware(request):
        if request.GET:
            return HttpResponse(status=403)
        return get_response(request)

    return middleware


@pytest.mark.parametrize(
    "middleware", [AddsAHeader, Times, BothWays, Hook, ReadsTheHostCarefully, written_as_a_function, print, int]
)
def test_code_that_passes_every_request_on(middleware) -> None:
    assert not can_answer(middleware)


@pytest.mark.parametrize(
    "middleware",
    [
        Refuses,
        RefusesByAName,
        RefusesInAMethod,
        RefusesInAHook,
        Raises,
        ReadsTheHost,
        Redirects,
        refusing_function,
    ],
)
def test_code_that_can_answer(middleware) -> None:
    assert can_answer(middleware)
    path = f"{__name__}.{middleware.__name__}"
    assert path in warnings(path)[0]


@pytest.mark.parametrize("middleware", [AddsAHeader, Hook, written_as_a_function])
def test_a_projects_own_middleware_is_no_warning(middleware) -> None:
    assert warnings(f"{__name__}.{middleware.__name__}") == []


def test_reading_the_host_is_harmless_where_any_is_allowed() -> None:
    with override_settings(ALLOWED_HOSTS=["*"]):
        assert warnings(f"{__name__}.ReadsTheHost") == []


def test_djangos_middleware_that_is_listed_as_passing_answers_no_probe(settings) -> None:
    """The list against Django itself: each of its middleware gets a request as a probe sends it."""
    settings.ALLOWED_HOSTS = ["*"]
    request = RequestFactory().get("/api/health", headers={"host": "10.0.0.1"})
    marker = HttpResponse("passed on")
    from django.utils.module_loading import import_string

    for name in (
        "django.middleware.cache.UpdateCacheMiddleware",
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        "django.middleware.locale.LocaleMiddleware",
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ):
        assert import_string(name)(lambda _: marker)(request).content == b"passed on", name
