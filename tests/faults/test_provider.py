"""Faults of a provider make its service degraded at most, unless the provider rejects the key."""

from __future__ import annotations

import contextlib
import datetime
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from tests.faults import provider as behaviors
from tests.faults.fixture_types import Dependencies, RunFault, SetBehavior
from tests.faults.pods import Fleet, server_context
from tests.faults.provider import Behavior, Provider, respond_with
from tests.support.amounts import one_of_each

SECTION = "provider"
ANTHROPIC, OPENAI = "anthropic", "openai"


def error(kind: str, message: str = "x") -> dict[str, Any]:
    """Return the body of an error response of Anthropic."""
    return {"type": "error", "error": {"type": kind, "message": message}}


def code(code: str | None, message: str = "x", kind: str = "invalid_request_error") -> dict[str, Any]:
    """Return the body of an error response of OpenAI."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


BEHAVIORS: dict[str, Behavior] = {
    "it resets the connection in the middle of the body": behaviors.reset_connection,
    "it accepts connections and never answers": behaviors.stay_silent,
    "it never finishes the response headers": behaviors.drip_headers,
    "it sends one byte at a time, forever": behaviors.drip_body,
    "it redirects in a loop": respond_with(302, b"", "Location: /v1/models"),
}
DOWN, UNCLEAR = "degraded provider_down", "degraded provider_inconclusive"

# The sources of these meanings are cited in healthguard/providers/catalog.py.
STATUSES: list[tuple[str, int, dict[str, Any] | bytes, str]] = [
    (ANTHROPIC, 200, b"<!doctype html><title>Sign in</title>", UNCLEAR),
    (ANTHROPIC, 301, b"", UNCLEAR),
    (ANTHROPIC, 400, error("invalid_request_error", "Your credit balance is too low"), "degraded key_no_funds"),
    (ANTHROPIC, 400, error("invalid_request_error"), UNCLEAR),
    (ANTHROPIC, 401, error("authentication_error"), "unhealthy key_rejected"),
    (ANTHROPIC, 402, error("billing_error"), "degraded key_no_funds"),
    (ANTHROPIC, 403, error("permission_error"), "degraded key_restricted"),
    (ANTHROPIC, 403, b"error code: 1010", UNCLEAR),
    (ANTHROPIC, 404, error("not_found_error"), UNCLEAR),
    (ANTHROPIC, 429, error("rate_limit_error"), "degraded provider_rate_limited"),
    (ANTHROPIC, 500, error("api_error"), DOWN),
    (ANTHROPIC, 503, b"", DOWN),
    (ANTHROPIC, 529, error("overloaded_error"), DOWN),
    (OPENAI, 401, code("invalid_api_key"), "unhealthy key_rejected"),
    (OPENAI, 401, code(None, "You have insufficient permissions. Missing scopes: api.model.read"),
     "degraded key_restricted"),
    (OPENAI, 401, code("incorrect_hostname"), "degraded key_restricted"),
    (OPENAI, 403, code("unsupported_country_region_territory"), UNCLEAR),
    (OPENAI, 429, code("insufficient_quota", kind="insufficient_quota"), "degraded key_no_funds"),
]  # fmt: skip


@contextlib.contextmanager
def down(provider: Provider) -> Iterator[None]:
    """Let a provider refuse connections."""
    provider.down()
    try:
        yield
    finally:
        provider.up()


@contextlib.contextmanager
def tls_context(provider: Provider, context: ssl.SSLContext) -> Iterator[None]:
    """Give a provider another TLS context."""
    before = provider.context
    provider.context = context
    try:
        yield
    finally:
        provider.context = before


def test_closed_port_is_a_provider_that_is_down(run_fault: RunFault, dependencies: Dependencies) -> None:
    run_fault(SECTION, "nothing listens on its port", ANTHROPIC, DOWN, down(dependencies.anthropic))


@pytest.mark.parametrize("fault", BEHAVIORS)
def test_misbehaving_provider_is_degraded(
    run_fault: RunFault, dependencies: Dependencies, set_behavior: SetBehavior, fault: str
) -> None:
    expected = UNCLEAR if "redirects" in fault else DOWN
    run_fault(SECTION, fault, ANTHROPIC, expected, set_behavior(BEHAVIORS[fault], dependencies.anthropic))


def test_body_of_100_mb_is_not_held_in_memory(
    run_fault: RunFault, dependencies: Dependencies, set_behavior: SetBehavior, healthy_fleet: Fleet
) -> None:
    before = [pod.server.memory() for pod in healthy_fleet]
    injected = set_behavior(behaviors.send_100_mb, dependencies.anthropic)
    run_fault(SECTION, "it sends a body of 100 MB", ANTHROPIC, UNCLEAR, injected)
    growth = max(pod.server.memory() - then for pod, then in zip(healthy_fleet, before, strict=True))
    assert growth < 32 * 1024 * 1024


STATUS_CASES = one_of_each(STATUSES, lambda case: case[-1])
"""All of them, or one of each kind of problem."""


@pytest.mark.parametrize(("provider", "status", "body", "expected"), STATUS_CASES)
def test_status_and_body_of_the_response_decide_the_problem(
    run_fault: RunFault,
    dependencies: Dependencies,
    set_behavior: SetBehavior,
    provider: str,
    status: int,
    body: dict[str, Any] | bytes,
    expected: str,
) -> None:
    error_code = (body["error"].get("code") or body["error"]["type"]) if isinstance(body, dict) else ""
    fault = f"{provider} answers {status}{f' {error_code}' if error_code else ''}: {expected.split()[1]}"
    injected = set_behavior(respond_with(status, body), getattr(dependencies, provider))
    run_fault(SECTION, fault, provider, expected, injected)


@pytest.mark.parametrize("kind", ["is signed by an untrusted authority", "is for another host", "has expired"])
def test_invalid_certificate_is_a_provider_that_is_down(
    run_fault: RunFault, dependencies: Dependencies, kind: str
) -> None:
    now = datetime.datetime.now(datetime.UTC)
    context = server_context(
        trustme.CA() if "authority" in kind else dependencies.authority,
        "provider.example" if "host" in kind else "127.0.0.1",
        not_after=now - datetime.timedelta(days=1) if "expired" in kind else None,
    )
    fault = f"its certificate {kind}"
    run_fault(SECTION, fault, OPENAI, DOWN, tls_context(dependencies.openai, context))
