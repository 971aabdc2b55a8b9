"""A provider for the tests of the cached verdicts, and a run of its check that may use them."""

from __future__ import annotations

import dataclasses
from typing import Any

from healthguard.checks import AIProviderKey, CredentialExchange
from healthguard.providers import PROVIDERS
from healthguard.runner.execution import result_of
from healthguard.service import source_of
from healthguard.status import CheckResult

CLAUDE = dataclasses.replace(PROVIDERS["anthropic"], unknown_keys="refused")
"""Anthropic without the request for a random key, which tests/providers/test_random_keys.py counts."""

NO_MODELS: dict[str, Any] = {"data": []}
"""The body of a successful response."""


def run_cached(check: AIProviderKey | CredentialExchange) -> CheckResult:
    """Run a check as a probe does, which may use the cached verdict."""
    return result_of(source_of(check), 60.0)
