"""The system checks, which report errors of the declaration in ``manage.py check`` before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from healthguard import conf
from healthguard.http.mount import mounts
from healthguard.system_checks.distribution import DISTRIBUTION, PACKAGE, other_distributions
from healthguard.system_checks.middleware_order import OWN, answering_before


def check_declaration(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report each error in the HEALTHGUARD setting."""
    return [
        (checks.Warning if error.is_warning else Error)(error.message, hint=error.hint, id=f"healthguard.{error.id}")
        for error in conf.errors()
    ]


def check_middleware(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn about middleware that is listed before healthguard's and can answer or reject a probe."""
    earlier = answering_before(list(django_settings.MIDDLEWARE))
    if not earlier:
        return []
    effects = "; ".join(f"{name} {effect}" for name, effect in earlier)
    return [
        checks.Warning(
            f"Middleware that is listed before healthguard's can answer or reject probes: {effects}.",
            hint=f"Put {OWN!r} first in MIDDLEWARE. Or wrap the WSGI or ASGI application with healthguard.wsgi.guard() "
            "or healthguard.asgi.guard(), which run before all middleware. If none of this affects probes, add "
            "'healthguard.W001' to SILENCED_SYSTEM_CHECKS.",
            id="healthguard.W001",
        )
    ]


def check_distribution(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn about each other distribution that provides the package healthguard."""
    return [
        checks.Warning(
            f"The distribution {name!r} also provides the package {PACKAGE!r}. The two overwrite each other's files.",
            hint=f"Run 'pip uninstall {name}', then 'pip install --force-reinstall {DISTRIBUTION}'.",
            id="healthguard.W004",
        )
        for name in other_distributions()
    ]


def check_mount(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn if the URLconf does not include healthguard, or lists another view of its path first."""
    current_mounts = mounts()
    if current_mounts.mounts:
        return [
            checks.Warning(
                f"Requests for {mount.prefix} are not answered by healthguard, because ROOT_URLCONF lists another "
                "pattern that matches this path first.",
                hint="List the include of healthguard.urls before that pattern.",
                id="healthguard.W003",
            )
            for mount in current_mounts.mounts
            if mount.is_hidden()
        ]
    return [
        checks.Warning(
            "ROOT_URLCONF does not include healthguard.urls, so neither the middleware nor the WSGI and ASGI wrappers "
            "answer any request.",
            hint="Add path('api/health', include('healthguard.urls')) to the URLconf. If another URLconf includes it, "
            "like one per host, also set HEALTHGUARD['MOUNT'] = '/api/health'.",
            id="healthguard.W003",
        )
    ]
