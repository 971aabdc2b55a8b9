"""The warning W001 names only middleware that comes before healthguard's and can answer or reject a probe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseForbidden
from django.test import RequestFactory, override_settings
from django.utils.deprecation import MiddlewareMixin
from django.utils.module_loading import import_string

from healthguard.system_checks.middleware_code import can_answer

OURS = "healthguard.middleware.HealthGuardMiddleware"

GetResponse = Callable[[Any], Any]
"""The ``get_response`` that a middleware takes, and a middleware that is written as a function."""


def warnings(*before: str) -> list[str]:
    """Return the messages of W001 for middleware that is listed before healthguard's."""
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
def test_middleware_that_passes_probes_on_is_accepted(name: str) -> None:
    assert warnings(name) == []


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("django.middleware.common.CommonMiddleware", {}, "ALLOWED_HOSTS"),
        ("django.middleware.security.SecurityMiddleware", {"SECURE_SSL_REDIRECT": True}, "HTTPS"),
        ("django.middleware.cache.FetchFromCacheMiddleware", {}, "cache"),
        ("django.contrib.sites.middleware.CurrentSiteMiddleware", {}, "database"),
        ("django_hosts.middleware.HostsRequestMiddleware", {}, "Host"),
        ("opentelemetry.instrumentation.django.middleware.otel_middleware._DjangoMiddleware", {}, "ALLOWED_HOSTS"),
        ("django_tenants.middleware.main.TenantMainMiddleware", {}, "tenant"),
    ],
)
def test_middleware_that_can_reject_probes_is_named(name: str, settings: dict[str, object], words: str) -> None:
    with override_settings(**settings):
        (message,) = warnings("django.middleware.gzip.GZipMiddleware", name)
    assert name in message
    assert words in message
    assert "GZip" not in message


def test_common_middleware_is_accepted_if_any_host_is_allowed() -> None:
    with override_settings(ALLOWED_HOSTS=["*"]):
        assert warnings("django.middleware.common.CommonMiddleware") == []


def test_all_middleware_that_can_reject_probes_is_named() -> None:
    with override_settings(SECURE_SSL_REDIRECT=True):
        (message,) = warnings(
            "django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"
        )
    assert "SecurityMiddleware" in message
    assert "CommonMiddleware" in message


class AddsAHeader:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        response = self.get_response(request)
        response["X-Something"] = "1"
        return response


class Times(AddsAHeader):
    def __call__(self, request: Any) -> Any:
        try:
            return self.measured(request)
        finally:
            pass

    def measured(self, request: Any) -> Any:
        return self.get_response(request)


class BothWays(AddsAHeader):
    is_async: bool

    def __call__(self, request: Any) -> Any:
        if self.is_async:
            return self.__acall__(request)
        response = self.get_response(request)
        return self.changed(response)

    async def __acall__(self, request: Any) -> Any:
        response = await self.get_response(request)
        return self.changed(response)

    def changed(self, response: Any) -> Any:
        return response


class Hook(MiddlewareMixin):
    def process_request(self, request: Any) -> None:
        request.seen = True

    def process_response(self, request: Any, response: Any) -> Any:
        return HttpResponse("changed") if response is None else response


class ReadsTheHostCarefully(AddsAHeader):
    def __call__(self, request: Any) -> Any:
        try:
            request.host = request.get_host()
        except Exception:
            request.host = ""
        return self.get_response(request)


def written_as_a_function(get_response: GetResponse) -> GetResponse:
    def middleware(request: Any) -> Any:
        request.seen = True
        return get_response(request)

    return middleware


class Refuses(AddsAHeader):
    def __call__(self, request: Any) -> Any:
        if not request.user.is_authenticated:
            return HttpResponseForbidden()
        return self.get_response(request)


class RefusesByAName(AddsAHeader):
    def __call__(self, request: Any) -> Any:
        response = self.get_response(request)
        if request.GET:
            response = HttpResponse(status=503)
        return response


class RefusesInAMethod(AddsAHeader):
    def __call__(self, request: Any) -> Any:
        if request.GET:
            return self.closed(request)
        return self.get_response(request)

    def closed(self, request: Any) -> Any:
        return HttpResponse("closed", status=503)


class RefusesInAHook(MiddlewareMixin):
    def process_request(self, request: Any) -> Any:
        if request.GET:
            return HttpResponse("closed", status=503)
        return None


class Raises(AddsAHeader):
    def __call__(self, request: Any) -> Any:
        if not request.GET:
            raise PermissionDenied
        return self.get_response(request)


class ReadsTheHost(AddsAHeader):
    def __call__(self, request: Any) -> Any:
        request.site = request.get_host()
        return self.get_response(request)


class Redirects(AddsAHeader):
    async def __call__(self, request: Any) -> Any:
        from django.shortcuts import redirect

        if request.path.startswith("/old"):
            return redirect("/new")
        return await self.get_response(request)


def refusing_function(get_response: GetResponse) -> GetResponse:
    def middleware(request: Any) -> Any:
        if request.GET:
            return HttpResponse(status=403)
        return get_response(request)

    return middleware


@pytest.mark.parametrize(
    "middleware", [AddsAHeader, Times, BothWays, Hook, ReadsTheHostCarefully, written_as_a_function, print, int]
)
def test_code_that_passes_every_request_on_cannot_answer(middleware: Any) -> None:
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
def test_code_that_can_answer_is_reported(middleware: Any) -> None:
    assert can_answer(middleware)
    path = f"{__name__}.{middleware.__name__}"
    assert path in warnings(path)[0]


@pytest.mark.parametrize("middleware", [AddsAHeader, Hook, written_as_a_function])
def test_own_middleware_that_passes_requests_on_is_accepted(middleware: Any) -> None:
    assert warnings(f"{__name__}.{middleware.__name__}") == []


def test_reading_the_host_is_accepted_if_any_host_is_allowed() -> None:
    with override_settings(ALLOWED_HOSTS=["*"]):
        assert warnings(f"{__name__}.ReadsTheHost") == []


def test_middleware_of_django_passes_a_probe_on(settings: Any) -> None:
    """The middleware that the check accepts by name is called with the request of a probe."""
    settings.ALLOWED_HOSTS = ["*"]
    request = RequestFactory().get("/api/health", headers={"host": "10.0.0.1"})
    marker = HttpResponse("passed on")
    for name in (
        "django.middleware.cache.UpdateCacheMiddleware",
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        "django.middleware.locale.LocaleMiddleware",
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ):
        middleware: Any = import_string(name)
        assert middleware(lambda _: marker)(request).content == b"passed on", name
