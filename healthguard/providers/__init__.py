"""What healthguard knows of each AI provider, as data, and how a provider's answer about a key is read."""

from healthguard.providers.catalog import (
    DISTINCTIVE_PREFIXES,
    PROVIDERS,
    is_name,
    provider_of,
)
from healthguard.providers.declaration import provider_flaws
from healthguard.providers.provider import BEARER, Answers, Place, Provider, Request
from healthguard.providers.switches import Switch
from healthguard.providers.verdict import Verdict
from healthguard.providers.verification import Verification, verify

__all__ = [
    "BEARER",
    "DISTINCTIVE_PREFIXES",
    "PROVIDERS",
    "Answers",
    "Place",
    "Provider",
    "Request",
    "Switch",
    "Verdict",
    "Verification",
    "is_name",
    "provider_flaws",
    "provider_of",
    "verify",
]
