"""A provider in every kind of trouble: degraded at most, unless it says of the key that it is no good."""

from __future__ import annotations

import contextlib
import datetime
import ssl
from collections.abc import Iterator

import pytest
import trustme

from tests.faults import provider as behaviours
from tests.faults.pods import certified
from tests.faults.provider import Provider, answer

SECTION = "provider"
ANTHROPIC, OPENAI = "anthropic", "openai"


def error(kind: str, message: str = "x") -> dict[str, object]:
    """A body of Anthropic's."""
    return {"type": "error", "error": {"type": kind, "message": message}}


def code(code: str | None, message: str = "x", kind: str = "invalid_request_error") -> dict[str, object]:
    """A body of OpenAI's."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


BEHAVIOURS = {
    "it resets the connection in the middle of the body": behaviours.resets,
    "it accepts and never answers": behaviours.silent,
    "it never ends its header": behaviours.slow_headers,
    "it sends a byte now and then, for ever": behaviours.a_byte_a_second,
    "it redirects in a loop": answer(302, b"", "Location: /v1/models"),
}
DOWN, UNCLEAR = "degraded provider_down", "degraded provider_unclear"

# What each status means is told with its source in healthguard/providers/catalog.py.
STATUSES = [
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
    provider.down()
    try:
        yield
    finally:
        provider.up()


@contextlib.contextmanager
def proving_itself_with(provider: Provider, context: ssl.SSLContext) -> Iterator[None]:
    right = provider.context
    provider.context = context
    try:
        yield
    finally:
        provider.context = right


def test_down(play, surroundings) -> None:
    play(SECTION, "nothing listens on its port", ANTHROPIC, DOWN, down(surroundings.anthropic))


@pytest.mark.parametrize("fault", BEHAVIOURS)
def test_misbehaving(play, surroundings, behave, fault) -> None:
    told = UNCLEAR if "redirects" in fault else DOWN
    play(SECTION, fault, ANTHROPIC, told, behave(BEHAVIOURS[fault], surroundings.anthropic))


def test_a_body_of_100_mb(play, surroundings, behave, well) -> None:
    """No more of it is held than an answer may have."""
    before = [pod.server.memory() for pod in well]
    played = behave(behaviours.a_hundred_megabytes, surroundings.anthropic)
    play(SECTION, "it sends a body of 100 MB", ANTHROPIC, UNCLEAR, played)
    assert max(pod.server.memory() - then for pod, then in zip(well, before, strict=True)) < 32 * 1024 * 1024


@pytest.mark.parametrize(("provider", "status", "body", "told"), STATUSES)
def test_a_status(play, surroundings, behave, provider, status, body, told) -> None:
    said = (body["error"].get("code") or body["error"]["type"]) if isinstance(body, dict) else ""
    fault = f"{provider} answers {status}{f', {said}' if said else ''}; {told.rpartition('_')[2]}"
    play(SECTION, fault, provider, told, behave(answer(status, body), getattr(surroundings, provider)))


@pytest.mark.parametrize("kind", ["of an authority that nobody trusts", "of another host", "that has expired"])
def test_a_wrong_certificate(play, surroundings, kind) -> None:
    now = datetime.datetime.now(datetime.UTC)
    context = certified(
        trustme.CA() if "authority" in kind else surroundings.authority,
        "provider.example" if "host" in kind else "127.0.0.1",
        not_after=now - datetime.timedelta(days=1) if "expired" in kind else None,
    )
    fault = f"its certificate is one {kind}"
    play(SECTION, fault, OPENAI, DOWN, proving_itself_with(surroundings.openai, context))
