"""AI providers as data, and the verification of keys at a provider.

This package imports neither Django nor an HTTP client: a key in a manifest is inspected without them. Import
``verification`` and ``declaration`` as modules.
"""

from healthguard.providers.catalog import (
    PROVIDERS,
    UNIQUE_PREFIXES,
    is_name,
    provider_of,
)
from healthguard.providers.provider import BEARER, Provider, ProviderEndpoint, ResponseRule, VerificationRequest
from healthguard.providers.switches import Switch
from healthguard.providers.verdict import Verdict

__all__ = [
    "BEARER",
    "PROVIDERS",
    "UNIQUE_PREFIXES",
    "Provider",
    "ProviderEndpoint",
    "ResponseRule",
    "Switch",
    "Verdict",
    "VerificationRequest",
    "is_name",
    "provider_of",
]
