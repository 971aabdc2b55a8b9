"""No response, text, exception or cache entry contains a key."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.cache import caches
from django.test import Client, override_settings

from healthguard.checks import AIProviderKey
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.providers import PROVIDERS, Verdict
from healthguard.providers.inspection import verdict_problem
from healthguard.providers.key_value import Key
from healthguard.providers.verification import Verification
from healthguard.status import Status
from tests.support.fixture_types import Declare, RunCheck
from tests.support.recorders import StartRecorder, assert_without, at_url, good_response

pytestmark = pytest.mark.usefixtures("no_keys_or_proxies", "watched")

TOKEN = "details-token-0123456789"


@pytest.mark.parametrize("kind", ["good", "rejected", "down"])
def test_details_of_a_health_response_contain_no_key(
    start_recorder: StartRecorder, healthguard_settings: Declare, provider_name: str, provider_key: str, kind: str
) -> None:
    responses = {
        "good": good_response(provider_name),
        "rejected": b"HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    }
    server = start_recorder(responses.get(kind, b""))
    check = AIProviderKey(at_url(provider_name, server.url))
    healthguard_settings({"ai": check}, INLINE=True, DETAILS_TOKENS=[TOKEN])
    reply = Client().get("/api/health", headers={"Authorization": f"Bearer {TOKEN}"})
    rejected = "degraded" if provider_name == "openai" else "unhealthy"
    status = {"good": "healthy", "down": "degraded", "rejected": rejected}[kind]
    assert reply.json()["services"]["ai"] == status
    assert "fingerprint" in reply.content.decode()
    assert_without(provider_key, reply.content, reply.headers)
    assert server.received


def test_texts_of_objects_contain_no_key(
    start_recorder: StartRecorder, provider_name: str, provider_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = at_url(provider_name, "http://127.0.0.1:1")
    held = Key(provider, provider_key, "SOME_KEY", "a Secret", {"provider": provider_name})
    verified = Verification(Verdict.REJECTED, "HTTP 401", "127.0.0.1", 401)
    checks = [
        AIProviderKey(provider_name),
        AIProviderKey(provider),
        AIProviderKey(provider_name, key=lambda: provider_key),
    ]
    shown = (held, verified, verdict_problem(held, verified), provider, provider.resolve_endpoint(), *checks)
    for value in shown:
        assert_without(provider_key, repr(value), str(value), f"{value}")


@pytest.mark.parametrize(
    "value", ["{key}\n", "{key}\x00", "k\u00e4y-{key}", '"{key}"', "Bearer {key}", "X={key}", "mock-{key}-mock"]
)
def test_exceptions_contain_no_key(
    provider_name: str, provider_key: str, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """The traceback of the error contains no key either, including the errors that caused it."""
    monkeypatch.setenv(PROVIDERS[provider_name].variables[0], value.format(key=provider_key).replace("\x00", ""))
    check = AIProviderKey(at_url(provider_name, "http://127.0.0.1:1"), key=lambda: value.format(key=provider_key))
    with pytest.raises((Unhealthy, Degraded)) as caught:
        async_to_sync(check.run)()
    assert_without(provider_key, repr(caught.value), str(caught.value), *traceback.format_exception(caught.value))


def test_shared_cache_contains_no_key(
    result: RunCheck, start_recorder: StartRecorder, provider_name: str, provider_key: str
) -> None:
    server = start_recorder(good_response(provider_name))
    shared = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": f"keys-{provider_name}"}
    with override_settings(CACHES={"default": shared, "shared": shared}):
        assert result(AIProviderKey(at_url(provider_name, server.url), share="shared")).status is Status.HEALTHY
        cache: Any = caches["shared"]
        entries = dict(cache._cache)
        assert len(entries) == 2
        assert_without(provider_key, repr(entries))
