"""The middleware before healthguard's that can answer or reject a probe.

Most middleware passes every request on, and adds only a header, an attribute or a measurement. For the middleware of
Django and of widely used packages, this module contains the facts as data. The code of any other middleware is analyzed
to find out if it can return a response of its own.
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


_KNOWN_MIDDLEWARE: dict[str, tuple[str, Callable[[], bool]]] = {
    "django.middleware.security.SecurityMiddleware": (
        "redirects requests to HTTPS",
        _answers_by_setting("SECURE_SSL_REDIRECT"),
    ),
    "django.middleware.common.CommonMiddleware": (
        "rejects requests whose Host is not in ALLOWED_HOSTS",
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
"""Middleware that can answer a request itself or raise: the effect, and a function that returns True if it is active.

Django's other middleware passes every probe on.
"""

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
"""Packages whose middleware passes every probe on. It answers only paths, methods or headers that a probe never has."""

_ANSWERING_PACKAGES = {
    "django_hosts.": "rejects requests whose Host is not configured",
    "django_tenants.": "reads the tenant from the database, and rejects requests whose Host is not that of a tenant",
    "tenant_schemas.": "reads the tenant from the database, and rejects requests whose Host is not that of a tenant",
    "maintenance_mode.": "answers every request during maintenance",
    "lockdown.": "answers requests without a login",
    "silk.": "writes each request to the database",
}
"""Packages whose middleware can answer a request itself or raise, with the effect."""


def answering_before(names: list[str], own: str = OWN) -> list[tuple[str, str]]:
    """Return the middleware before ``own`` that can answer or reject a request, each with its effect.

    Args:
        names: the dotted paths in MIDDLEWARE.
        own: the dotted path of healthguard's middleware.

    Returns:
        pairs of a dotted path and the predicate of a sentence about it, like "redirects requests to HTTPS".
    """
    earlier = []
    for name in names[: names.index(own)] if own in names else []:
        effect = _effect(name)
        if effect is not None:
            earlier.append((name, effect))
    return earlier


def _effect(name: str) -> str | None:
    """Return the effect of a middleware that can answer or reject a probe; None if it passes every probe on."""
    entry = _KNOWN_MIDDLEWARE.get(name)
    if entry is not None:
        effect, is_active = entry
        return effect if is_active() else None
    for package, effect in _ANSWERING_PACKAGES.items():
        if name.startswith(package):
            return effect
    if name.startswith(_PASSING_PACKAGES):
        return None
    from healthguard.system_checks.middleware_code import can_answer

    try:
        middleware = import_string(name)
    except Exception:
        # Django raises the same error when it starts, so no request is answered at all.
        return None
    return _inherited_effect(middleware) or (
        "can answer a request itself" if can_answer(middleware, checks_hosts=_checks_hosts()) else None
    )


def _inherited_effect(middleware: Any) -> str | None:
    """Return the effect of the known class that a middleware derives from; None if it overrides the method."""
    for base in middleware.__mro__ if isinstance(middleware, type) else ():
        name = f"{base.__module__}.{base.__qualname__}"
        if name in _KNOWN_MIDDLEWARE and _handler(middleware) is _handler(base):
            effect, is_active = _KNOWN_MIDDLEWARE[name]
            return effect if is_active() else None
    return None


def _handler(middleware: type) -> Any:
    return getattr(middleware, "process_request", None) or vars(middleware).get("__call__")
