"""Checks for further AI providers: those whose key is in the environment."""

from __future__ import annotations

import dataclasses
import os

from example_project.provider_simulator import base_url
from healthguard.checks import AIProviderKey
from healthguard.providers import PROVIDERS, Provider


def more_ai_providers(*declared: str) -> dict[str, AIProviderKey]:
    """Return a check for each provider whose key is in the environment and that is not yet ``declared``."""
    return {
        name: AIProviderKey(_simulated(provider))
        for name, provider in PROVIDERS.items()
        if name not in declared and any(variable in os.environ for variable in provider.variables)
    }


def _simulated(provider: Provider) -> Provider:
    """Return ``provider`` with the base URL of the simulator that ``make demo`` started, if there is one.

    Not every provider has a variable for its base URL, so the base URL itself is replaced.
    """
    root = os.environ.get("PROVIDER_SIMULATOR")
    if root is None:
        return provider
    return dataclasses.replace(provider, base_url=base_url(root, provider.name), requests_by_prefix={})
