"""The place to which the environment sends a key, and the provider as which it is asked about there."""

from __future__ import annotations

import dataclasses
import os

from healthguard.patterns import UnusablePatternError, fits
from healthguard.providers.catalog import PROVIDERS
from healthguard.providers.hosts import provider_at
from healthguard.providers.provider import Place, Provider, Request, fill
from healthguard.providers.switches import Switch


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """The place to ask about a key.

    Args:
        provider: how to ask and how to read the answer. It is another provider than the declared one if the base URL
            is one of that provider's.
        place: where to ask.
        switch: the variable that moves the key to a service that cannot be asked; None if it can be asked.
        is_declared: False if the environment names the place, and not the declaration.
    """

    provider: Provider
    place: Place
    switch: str | None = None
    is_declared: bool = True


def route_of(provider: Provider, key: str) -> Route:
    """Return where to ask about ``key``, which is declared to be one of ``provider``'s."""
    place = provider.place()
    for switch in provider.switches:
        if not _is_on(switch, provider, key):
            continue
        target = PROVIDERS.get(switch.provider)
        base_url, missing = fill(switch.base_url)
        if target is None:
            return Route(provider, place, switch.variable, is_declared=False)
        target = dataclasses.replace(target, variables=provider.variables, switches=())
        if missing:
            return Route(target, place, switch.variable, is_declared=False)
        moved = Place(base_url, target.has_any_form or provider_at(base_url) is None)
        return dataclasses.replace(_at(target, moved), is_declared=False)
    return dataclasses.replace(_at(provider, place), is_declared=not provider.is_named_elsewhere)


def _is_on(switch: Switch, provider: Provider, key: str) -> bool:
    value = os.environ.get(switch.variable, "").strip()
    if not value or not _fits(switch.values, value):
        return False
    if not switch.is_general and provider.formats and provider.has_format(key):
        return False
    if not switch.is_by_form:
        return True
    target = PROVIDERS.get(switch.provider)
    return target is not None and not provider.is_named_elsewhere and target.has_format(key)


def _fits(pattern: str, value: str) -> bool:
    try:
        return fits(pattern, value, ignores_case=True)
    except UnusablePatternError:
        return False


def _at(provider: Provider, place: Place) -> Route:
    """Return the route to ``place``: as the provider whose host it is, or as a server that nothing is known about."""
    found = None if place.missing else provider_at(place.base_url)
    if found is None or provider.unknown_keys == "accepted":
        return Route(provider, dataclasses.replace(place, proves=provider.unknown_keys != "tested"))
    owner, base_url = found
    if _asks_alike(provider, owner):
        # As it is given, unless that host has no such request: a wrong path is wrong for the SDK as well.
        moved = base_url if _host(base_url) != _host(place.base_url) else place.base_url
        return Route(provider, Place(moved, provider.has_any_form))
    if not any(_asks_alike(provider, row) for row in PROVIDERS.values()) and provider.request != Request():
        # A request of one's own, whose answer nothing is known about.
        return Route(provider, dataclasses.replace(place, proves=False))
    asked = dataclasses.replace(
        owner,
        variables=provider.variables,
        base_url=base_url,
        base_url_variables=provider.place_variables,
        switches=(),
    )
    return Route(asked, Place(base_url, is_gateway=False))


def _asks_alike(provider: Provider, other: Provider) -> bool:
    one, two = ((each.request, each.proofs, each.answers) for each in (provider, other))
    return one == two


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2].lower()
