"""AI providers as data, and the verification of keys at a provider."""

from healthguard.providers.catalog import (
    PROVIDERS,
    UNIQUE_PREFIXES,
    is_name,
    provider_of,
)
from healthguard.providers.declaration import provider_flaws
from healthguard.providers.provider import BEARER, Provider, ProviderEndpoint, ResponseRule, VerificationRequest
from healthguard.providers.switches import Switch
from healthguard.providers.verdict import Verdict
from healthguard.providers.verification import Verification

__all__ = [
    "BEARER",
    "PROVIDERS",
    "UNIQUE_PREFIXES",
    "Provider",
    "ProviderEndpoint",
    "ResponseRule",
    "Switch",
    "Verdict",
    "Verification",
    "VerificationRequest",
    "is_name",
    "provider_flaws",
    "provider_of",
]
