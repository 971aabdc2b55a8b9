"""The attribute ``needs_deployment`` of the checks."""

from __future__ import annotations

import pytest
from health_check.base import HealthCheck

from healthguard import checks


@pytest.mark.parametrize(
    ("check", "needs_deployment"),
    [
        (checks.AIProviderKey("anthropic"), True),
        (checks.AppliedMigrations(), False),
        (checks.CredentialExchange("/exchange", ["anthropic"]), True),
        (checks.DatabaseName("shop"), True),
        (checks.EnvironmentVariable("DATABASE_URL"), True),
        (checks.HTTPEndpoint("/page"), False),
        (checks.HTTPEndpoint("https://example.com/page"), True),
        (checks.HTTPEndpoint("not a URL"), False),
        (checks.ModelSchema(), False),
        (checks.RequiredColumns("orders", {"id": "bigint"}), False),
        (checks.RequiredTables(["orders"]), False),
        (checks.SecretKey(), True),
    ],
    ids=repr,
)
def test_check_states_if_it_needs_a_deployment(check: HealthCheck, needs_deployment: bool) -> None:
    """A check with an invalid declaration is run everywhere, because it reports the declaration."""
    assert check.needs_deployment is needs_deployment
