"""The AI providers that the example checks beside its own two: those that the environment has a key for."""

from __future__ import annotations

import dataclasses
import os

from example_project.provider_simulator import base_url
from healthguard.checks import AIProviderKey
from healthguard.providers import PROVIDERS, Provider


def more_ai_providers(*declared: str) -> dict[str, AIProviderKey]:
    """A check for each provider whose key is in the environment, without those already ``declared``."""
    return {
        name: AIProviderKey(_simulated(provider))
        for name, provider in PROVIDERS.items()
        if name not in declared and any(variable in os.environ for variable in provider.variables)
    }


def _simulated(provider: Provider) -> Provider:
    """``provider``, at the simulator that make demo names: not every provider's address can be set by a variable."""
    root = os.environ.get("PROVIDER_SIMULATOR")
    if root is None:
        return provider
    return dataclasses.replace(provider, base_url=base_url(root, provider.name), requests_by_prefix={})
