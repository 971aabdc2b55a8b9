"""What is wrong with the declaration, told by ``manage.py check`` before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from healthguard import conf
from healthguard.distribution import DISTRIBUTION, PACKAGE, other_distributions
from healthguard.middleware_order import OWN, answering_before
from healthguard.mount import mounts


def check_declaration(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """A message for each thing wrong with the HEALTHGUARD setting."""
    return [
        (checks.Warning if error.is_warning else Error)(error.message, hint=error.hint, id=f"healthguard.{error.id}")
        for error in conf.errors()
    ]


def check_middleware(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn about middleware that stands before healthguard's and can answer a probe in its place."""
    found = answering_before(list(django_settings.MIDDLEWARE))
    if not found:
        return []
    reasons = "; ".join(f"{name} {what}" for name, what in found)
    return [
        checks.Warning(
            f"Middleware before healthguard's can turn probes away: {reasons}.",
            hint=f"Put {OWN!r} first in MIDDLEWARE. Or wrap the WSGI or ASGI application with healthguard.wsgi.guard() "
            "or healthguard.asgi.guard(): nothing can get before that. If none of this concerns a probe, add "
            "'healthguard.W001' to SILENCED_SYSTEM_CHECKS.",
            id="healthguard.W001",
        )
    ]


def check_distribution(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn about each other distribution that provides the package healthguard."""
    return [
        checks.Warning(
            f"The distribution {name!r} also provides the package {PACKAGE!r}; each overwrites files of the other.",
            hint=f"Run 'pip uninstall {name}', then 'pip install --force-reinstall {DISTRIBUTION}'.",
            id="healthguard.W004",
        )
        for name in other_distributions()
    ]


def check_mount(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report that the URLconf does not lead to healthguard, so that no request is answered."""
    found = mounts()
    if found.mounts:
        return []
    return [
        checks.Warning(
            "ROOT_URLCONF does not include healthguard.urls: neither the middleware nor a wrapper answers anything.",
            hint="Add path('api/health', include('healthguard.urls')) to the URLconf. If another URLconf has it, one "
            "for each host for example, set HEALTHGUARD['MOUNT'] = '/api/health' too.",
            id="healthguard.W003",
        )
    ]
