"""A key, and the endpoint at which it is verified."""

from __future__ import annotations

import dataclasses
import re
import secrets

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from healthguard.providers.provider import Provider, ProviderEndpoint, VerificationRequest
from healthguard.secret_values import values

_RANDOM_PART = re.compile(r"\{(\d{1,3})\}")
_DEFAULT_RANDOM_PART = "{48}"


@dataclasses.dataclass(frozen=True)
class RoutedKey:
    """A key, and the endpoint at which it is verified.

    Args:
        provider: the provider, which defines the request and the rules for the response.
        value: the key itself. It consists of printable ASCII characters without spaces, and is never shown.
        endpoint: the endpoint to send the request to.
        variable: the environment variable that the key comes from, because some providers treat variables differently;
            None if it comes from another source.
    """

    provider: Provider
    value: str = dataclasses.field(repr=False)
    endpoint: ProviderEndpoint
    variable: str | None

    @property
    def request(self) -> VerificationRequest:
        """The request that verifies the key."""
        return self.provider.request_for(self.value, self.variable)

    @property
    def verification_id(self) -> str:
        """The ID under which the verification is cached: a keyed hash of the key and everything about the request."""
        provider = self.provider
        unknown_keys = () if provider.unknown_keys == "tested" else (provider.unknown_keys,)
        fields = (provider.name, *self._request_fields, *unknown_keys)
        return values.keyed_hash(f"{fields!r}\0{self.value}", secret(), purpose="key")

    @property
    def random_key_id(self) -> str:
        """The ID of the verification of a random key. It is the same for all keys that are sent in this request."""
        return values.keyed_hash(f"{self._request_fields!r}", secret(), purpose="any key")

    @property
    def _request_fields(self) -> tuple[object, ...]:
        provider, endpoint, request = self.provider, self.endpoint, self.request
        sent = (endpoint.base_url, request.method, request.base_url, request.path, sorted(request.headers.items()))
        return (sent, provider.success_fields, provider.response_rules, provider.is_gateway, endpoint.is_gateway)

    def with_random_value(self) -> RoutedKey:
        """Return a random key in one of the provider's formats that is verified with the same request."""
        by_prefix = self.provider.requests_by_prefix
        kinds = (f"{prefix}{_DEFAULT_RANDOM_PART}" for prefix in by_prefix if self.value.startswith(prefix))
        for specimen in (*self.provider.specimens, *kinds):
            value = _RANDOM_PART.sub(lambda match: secrets.token_hex(int(match[1]))[: int(match[1])], specimen)
            random_key = dataclasses.replace(self, value=value)
            if _RANDOM_PART.search(specimen) and random_key.request == self.request:
                return random_key
        return dataclasses.replace(self, value=secrets.token_hex(24))


def secret() -> str:
    """Return the secret for the hashes of keys: SECRET_KEY; an empty string if there is none."""
    try:
        return str(settings.SECRET_KEY)
    except (ImproperlyConfigured, AttributeError):
        return ""
