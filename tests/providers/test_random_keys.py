"""The random key that is sent to a gateway has the format of the key, and is sent once per ttl."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import caches
from pytest_httpserver import HTTPServer
from werkzeug import Request as Received
from werkzeug import Response

from example_project.provider_simulator import Simulator, base_url
from healthguard.checks import AIProviderKey, CredentialExchange
from healthguard.providers import PROVIDERS, Provider, VerificationRequest
from healthguard.providers.routed_key import RoutedKey
from healthguard.providers.verdict_cache import _cache
from healthguard.runner.execution import result_of
from healthguard.runtime.deadline import deadline_after
from healthguard.service import source_of
from healthguard.status import CheckResult, Status
from tests.support.fixture_types import RunCheck
from tests.support.gateways import serve
from tests.support.keys import forms, key_of, maker
from tests.support.provider_answers import MODELS
from tests.support.results import problem_of

pytestmark = pytest.mark.usefixtures("no_keys")

RNG = random.Random("test_random_keys")
NAMES = sorted(PROVIDERS)


def models_with(status: int, request: Received) -> Response:
    """Return a list of models with this status."""
    return Response(json.dumps(MODELS), status)


def run(check: AIProviderKey | CredentialExchange) -> CheckResult:
    """Run a check as a probe does, which may use the cached verdict."""
    return result_of(source_of(check), 30.0)


@pytest.mark.parametrize("is_open", [True, False])
def test_one_random_key_is_sent_for_any_number_of_keys(
    monkeypatch: pytest.MonkeyPatch, gateway: Simulator, is_open: bool
) -> None:
    gateway.is_open = is_open
    keys = [key_of(PROVIDERS["openai"], RNG) for _ in range(3)]
    gateway.keys = set(keys)
    monkeypatch.setenv("OPENAI_BASE_URL", gateway.base_urls["OPENAI_BASE_URL"])
    for _ in range(3):
        for key in keys:
            assert (
                run(AIProviderKey("openai", key=functools.partial(str, key))).status is Status.HEALTHY
            ) is not is_open
    assert len(gateway.received) == 4
    assert len(set(gateway.received) - set(keys)) == 1


def test_one_random_key_is_sent_for_providers_with_different_names(
    monkeypatch: pytest.MonkeyPatch, gateway: Simulator
) -> None:
    url = base_url(f"http://127.0.0.1:{gateway.server_port}", "openai")
    monkeypatch.setenv("OWN_KEY", "own-8fJ2kQ91xZpL0vTq")
    for name in ("one", "two", "three"):
        own = Provider(name=name, variables=("OWN_KEY",), base_url=url, is_gateway=True)
        assert problem_of(run(AIProviderKey(own))).code == "key_unproven"
    assert gateway.received.count("own-8fJ2kQ91xZpL0vTq") == 3
    assert len(gateway.received) == 4


def test_random_key_that_failed_is_not_sent_again_within_the_ttl(
    openai_gateway: Callable[..., str], httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    openai_gateway(lambda request: Response("{}", 500))
    for _ in range(3):
        assert run(AIProviderKey("openai")).status is Status.HEALTHY
    assert len(httpserver.log) == 2


@pytest.mark.parametrize("is_shared", [True, False])
def test_server_that_rejects_a_random_key_receives_no_other_for_a_day(
    monkeypatch: pytest.MonkeyPatch, settings: Any, is_shared: bool
) -> None:
    """A server may lock out clients that send invalid keys. After any other response, one is sent after each ttl."""
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend}, "fleet": {"BACKEND": backend, "LOCATION": "day"}}
    key = "virtual-8fJ2kQ91xZpL0vTq"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with contextlib.ExitStack() as running:
        servers = {status: running.enter_context(HTTPServer()) for status in (401, 403, 404, 200, 500, 429)}
        for status, server in servers.items():
            serve(server, key, functools.partial(models_with, status))
        for _ in range(3):
            for server in servers.values():
                monkeypatch.setenv("OPENAI_BASE_URL", server.url_for("/v1"))
                run(AIProviderKey("openai", ttl=1, share="fleet" if is_shared else None))
            time.sleep(2.1)
    caches["fleet"].clear()
    own: dict[int, int] = {}
    random_keys: dict[int, int] = {}
    for status, server in servers.items():
        has_key = [key in request.headers["authorization"] for request, _ in server.log]
        own[status], random_keys[status] = has_key.count(True), has_key.count(False)
    assert own == dict.fromkeys(servers, 3)
    assert {status for status, count in random_keys.items() if count == 1} == {401, 403}


@pytest.mark.parametrize("is_open", [True, False])
def test_fleet_sends_one_random_key(
    monkeypatch: pytest.MonkeyPatch, settings: Any, gateway: Simulator, is_open: bool
) -> None:
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend}, "fleet": {"BACKEND": backend, "LOCATION": "gateway-fleet"}}
    gateway.is_open = is_open
    keys = [key_of(PROVIDERS["openai"], RNG) for _ in range(2)]
    gateway.keys = set(keys)
    monkeypatch.setenv("OPENAI_BASE_URL", gateway.base_urls["OPENAI_BASE_URL"])
    try:
        for _ in range(3):
            for key in keys:
                # Another process, which has not cached a verdict.
                _cache.clear()
                outcome = run(AIProviderKey("openai", key=functools.partial(str, key), share="fleet"))
                assert outcome.status is (Status.DEGRADED if is_open else Status.HEALTHY)
        assert len(gateway.received) == 3
        assert len(set(gateway.received) - set(keys)) == 1
    finally:
        caches["fleet"].clear()


@pytest.mark.parametrize("is_open", [True, False])
def test_random_key_has_only_the_time_that_is_left(
    result: RunCheck, openai_gateway: Callable[..., str], httpserver: HTTPServer, is_open: bool
) -> None:
    """If a server is too slow for two requests in sequence, the next run sends both at the same time."""
    may_respond = threading.Event()
    is_slow = [False]

    def respond(request: Received) -> Response:
        if is_slow[0]:
            may_respond.wait(60)
        return Response(json.dumps(MODELS) if is_open else "{}", 200 if is_open else 401)

    openai_gateway(respond)
    is_slow[0] = True
    began = time.monotonic()
    with deadline_after(8):
        outcome = result(AIProviderKey("openai"))
    assert time.monotonic() - began < 45
    assert (outcome.status, outcome.evidence["verdict"]) == (Status.HEALTHY, "accepted")
    is_slow[0] = False
    may_respond.set()
    outcome = result(AIProviderKey("openai"))
    assert outcome.status is (Status.DEGRADED if is_open else Status.HEALTHY)
    assert len(httpserver.log) >= 3


FORMS = [form for name in NAMES for form in forms(PROVIDERS[name])]


def make_random_key(provider: Provider, key: str, variable: str | None) -> str:
    """Return a random key that is verified like ``key``."""
    return RoutedKey(provider, key, provider.resolve_endpoint(), variable).with_random_value().value


@pytest.mark.parametrize(("form", "pattern"), FORMS, ids=[form for form, _ in FORMS])
def test_random_key_has_the_format_and_kind_of_the_key(form: str, pattern: str) -> None:
    provider = PROVIDERS[form.rpartition("-")[0]]
    key = maker(pattern)(RNG)
    samples = {make_random_key(provider, key, provider.variables[0]) for _ in range(20)}
    assert len(samples) == 20
    for sample in samples:
        assert provider.has_format(sample)
        assert provider.request_for(sample, None) == provider.request_for(key, None)


def test_random_key_of_an_own_provider_is_verified_like_the_key() -> None:
    own = Provider(
        name="own",
        base_url="http://x",
        requests_by_prefix={"adm-": VerificationRequest("/admin"), "x": VerificationRequest("/x")},
    )
    assert make_random_key(own, "adm-8fJ2kQ91", None).startswith("adm-")
    assert make_random_key(own, "k-8fJ2kQ91", None).startswith("sk-")
    assert len(make_random_key(dataclasses.replace(own, specimens=()), "k-8fJ2kQ91", None)) == 48
    assert len(make_random_key(dataclasses.replace(own, specimens=("fixed",)), "k-8fJ2kQ91", None)) == 48
