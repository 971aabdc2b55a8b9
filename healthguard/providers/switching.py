"""The switches that are on in an environment."""

from __future__ import annotations

from collections.abc import Mapping

from healthguard.providers.catalog import PROVIDERS
from healthguard.providers.provider import Provider
from healthguard.providers.switches import Switch
from healthguard.secret_values.patterns import UnusablePatternError, fits


def is_on(switch: Switch, provider: Provider, key: str, environ: Mapping[str, str]) -> bool:
    """Return True if a switch applies to a key.

    Args:
        switch: the switch, one of those of ``provider``.
        provider: the declared provider of the key.
        key: the key.
        environ: the environment.
    """
    value = environ.get(switch.variable, "").strip()
    if not value or not _matches(switch.values, value):
        return False
    if not switch.is_general and provider.formats and provider.has_format(key):
        return False
    if not switch.is_by_form:
        return True
    target = PROVIDERS.get(switch.provider)
    return target is not None and not provider.has_base_url_override(environ) and target.has_format(key)


def _matches(pattern: str, value: str) -> bool:
    try:
        return fits(pattern, value, ignores_case=True)
    except UnusablePatternError:
        return False
