"""The endpoint at which a key is verified, and the provider whose rules apply there."""

from __future__ import annotations

import dataclasses
import os

from healthguard.providers.catalog import PROVIDERS
from healthguard.providers.hosts import provider_at
from healthguard.providers.provider import Provider, ProviderEndpoint, VerificationRequest, fill
from healthguard.providers.switching import is_on


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """The endpoint at which a key is verified.

    Args:
        provider: the provider that defines the request and the rules for the response. It differs from the declared
            provider if the base URL belongs to another provider in the catalog.
        endpoint: the endpoint to send the request to.
        switch: the environment variable that moves the key to a service at which it cannot be verified; None if it can
            be verified.
        is_declared: True if the declaration and not the environment determines the endpoint.
    """

    provider: Provider
    endpoint: ProviderEndpoint
    switch: str | None = None
    is_declared: bool = True


def route_of(provider: Provider, key: str) -> Route:
    """Return the route of ``key``, which is declared to be a key of ``provider``."""
    endpoint = provider.resolve_endpoint()
    for switch in provider.switches:
        if not is_on(switch, provider, key, os.environ):
            continue
        target = PROVIDERS.get(switch.provider)
        base_url, missing = fill(switch.base_url)
        if target is None:
            return Route(provider, endpoint, switch.variable, is_declared=False)
        target = dataclasses.replace(target, variables=provider.variables, switches=())
        if missing:
            return Route(target, endpoint, switch.variable, is_declared=False)
        moved = ProviderEndpoint(base_url, target.is_format_irrelevant or provider_at(base_url) is None)
        return dataclasses.replace(_route_to(target, moved), is_declared=False)
    return dataclasses.replace(_route_to(provider, endpoint), is_declared=not provider.has_base_url_override())


def _route_to(provider: Provider, endpoint: ProviderEndpoint) -> Route:
    """Return the route to ``endpoint``: with the rules of the provider that owns its host, or of an unknown server."""
    match = None if endpoint.missing else provider_at(endpoint.base_url)
    if match is None or provider.unknown_keys == "accepted":
        return Route(provider, dataclasses.replace(endpoint, can_prove_keys=provider.unknown_keys != "tested"))
    owner, base_url = match
    if _has_same_request(provider, owner):
        # Use the base URL as it is, unless its host cannot answer the request. A wrong path fails in the SDK as well.
        moved = base_url if _host(base_url) != _host(endpoint.base_url) else endpoint.base_url
        return Route(provider, ProviderEndpoint(moved, provider.is_format_irrelevant))
    is_in_catalog = any(_has_same_request(provider, other) for other in PROVIDERS.values())
    if not is_in_catalog and provider.request != VerificationRequest():
        # The declaration has a custom request. The response to an invalid key is not known.
        return Route(provider, dataclasses.replace(endpoint, can_prove_keys=False))
    verified_as = dataclasses.replace(
        owner,
        variables=provider.variables,
        base_url=base_url,
        base_url_variables=provider.endpoint_variables,
        switches=(),
    )
    return Route(verified_as, ProviderEndpoint(base_url, is_gateway=False))


def _has_same_request(provider: Provider, other: Provider) -> bool:
    one, two = ((each.request, each.success_fields, each.response_rules) for each in (provider, other))
    return one == two


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2].lower()
