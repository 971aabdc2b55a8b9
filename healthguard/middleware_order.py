"""The middleware before healthguard's own that can answer a probe in its place.

Most middleware passes every request on: it adds a header, an attribute or a measurement. What is known of Django's own
and of widely used packages is data here; of any other, the code shows whether it returns a response that is not the
one that follows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

OWN = "healthguard.middleware.HealthGuardMiddleware"


def _checks_hosts() -> bool:
    return "*" not in settings.ALLOWED_HOSTS


def _answers_by_setting(*names: str) -> Callable[[], bool]:
    return lambda: any(getattr(settings, name, None) for name in names)


def _always() -> bool:
    return True


_KNOWN: dict[str, tuple[str, Callable[[], bool]]] = {
    "django.middleware.security.SecurityMiddleware": (
        "redirects requests to https",
        _answers_by_setting("SECURE_SSL_REDIRECT"),
    ),
    "django.middleware.common.CommonMiddleware": (
        "refuses requests whose Host is not in ALLOWED_HOSTS",
        lambda: _checks_hosts() or _answers_by_setting("PREPEND_WWW", "DISALLOWED_USER_AGENTS")(),
    ),
    "django.middleware.cache.FetchFromCacheMiddleware": ("answers requests from its cache", _always),
    "django.middleware.cache.CacheMiddleware": ("answers requests from its cache", _always),
    "django.contrib.sites.middleware.CurrentSiteMiddleware": (
        "reads the site from the database",
        _always,
    ),
    "opentelemetry.instrumentation.django.middleware.otel_middleware._DjangoMiddleware": (
        "builds the URL of each request, which fails if its Host is not in ALLOWED_HOSTS",
        _checks_hosts,
    ),
    "django.middleware.csrf.CsrfViewMiddleware": (
        "reads the session of every request",
        _answers_by_setting("CSRF_USE_SESSIONS"),
    ),
}
"""Middleware that is known to be able to answer a request itself or to raise, and when. The rest of Django's passes."""

_PASSING_PACKAGES = (
    "django.",
    "django_prometheus.",
    "elasticapm.",
    "ddtrace.",
    "newrelic.",
    "django_structlog.",
    "django_guid.",
    "request_id.",
    "log_request_id.",
    "corsheaders.",
    "whitenoise.",
    "csp.",
    "django_permissions_policy.",
    "debug_toolbar.",
    "django_htmx.",
    "crum.",
    "auditlog.",
    "simple_history.",
    "easyaudit.",
    "axes.",
    "waffle.",
    "django_otp.",
    "allauth.",
    "hijack.",
    "impersonate.",
    "reversion.",
    "compression_middleware.",
    "django_browser_reload.",
    "django_user_agents.",
    "django_ratelimit.",
    "kolo.",
    "ipware.",
)
"""Packages whose middleware passes every probe on: it answers only paths, methods or headers that a probe never has."""

_ANSWERING_PACKAGES = {
    "django_hosts.": "refuses requests whose Host it does not know",
    "django_tenants.": "refuses requests whose Host belongs to no tenant, and reads it from the database",
    "tenant_schemas.": "refuses requests whose Host belongs to no tenant, and reads it from the database",
    "maintenance_mode.": "answers every request during maintenance",
    "lockdown.": "answers requests without a login",
    "silk.": "writes each request to the database",
}


def answering_before(names: list[str], own: str = OWN) -> list[tuple[str, str]]:
    """Return the middleware before ``own`` that can answer a request in its place, each with what it does."""
    found = []
    for name in names[: names.index(own)] if own in names else []:
        what = _what_it_does(name)
        if what is not None:
            found.append((name, what))
    return found


def _what_it_does(name: str) -> str | None:
    """Return how a middleware can answer a request itself; None if it passes every probe on."""
    known = _KNOWN.get(name)
    if known is not None:
        what, is_active = known
        return what if is_active() else None
    for package, what in _ANSWERING_PACKAGES.items():
        if name.startswith(package):
            return what
    if name.startswith(_PASSING_PACKAGES):
        return None
    from healthguard.middleware_code import can_answer

    try:
        middleware = import_string(name)
    except Exception:
        # Django raises the same error, so there is nothing that could answer.
        return None
    return _what_it_inherits(middleware) or (
        "can answer a request itself" if can_answer(middleware, checks_hosts=_checks_hosts()) else None
    )


def _what_it_inherits(middleware: Any) -> str | None:
    """Return what the known class that a middleware derives from does, unless its method is replaced."""
    for base in middleware.__mro__ if isinstance(middleware, type) else ():
        name = f"{base.__module__}.{base.__qualname__}"
        if name in _KNOWN and _handler(middleware) is _handler(base):
            what, is_active = _KNOWN[name]
            return what if is_active() else None
    return None


def _handler(middleware: type) -> Any:
    return getattr(middleware, "process_request", None) or vars(middleware).get("__call__")
