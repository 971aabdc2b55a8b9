"""The random key that a gateway is sent: its form, how often, and for how long."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import threading
import time

import pytest
from django.core.cache import caches
from werkzeug import Request as Received
from werkzeug import Response

from example_project.provider_simulator import base_url
from healthguard.checks import AIProviderKey, CredentialExchange
from healthguard.deadline import ending_in
from healthguard.execution import result_of
from healthguard.providers import PROVIDERS, Provider, Request
from healthguard.providers.asking import sample_of
from healthguard.providers.remembered import _memory
from healthguard.service import source_of
from healthguard.status import CheckResult, Status
from tests.checks.provider_answers import MODELS
from tests.keys import forms, key_of, maker

pytestmark = pytest.mark.usefixtures("no_keys")

RNG = random.Random(os.urandom(8))
NAMES = sorted(PROVIDERS)


def run(check: AIProviderKey | CredentialExchange) -> CheckResult:
    """Run it as a probe does, which may go by what is remembered."""
    return result_of(source_of(check), 30.0)


@pytest.mark.parametrize("is_open", [True, False])
def test_random_key_is_sent_once_a_ttl_whatever_number_of_keys(monkeypatch, gateway, is_open) -> None:
    gateway.is_open = is_open
    keys = [key_of(PROVIDERS["openai"], RNG) for _ in range(3)]
    gateway.keys = set(keys)
    monkeypatch.setenv("OPENAI_BASE_URL", gateway.base_urls["OPENAI_BASE_URL"])
    for _ in range(3):
        for key in keys:
            assert (run(AIProviderKey("openai", key=lambda key=key: key)).status is Status.HEALTHY) is not is_open
    assert len(gateway.received) == 4
    assert len(set(gateway.received) - set(keys)) == 1


def test_random_key_is_sent_once_whatever_the_providers_are_called(monkeypatch, gateway) -> None:
    there = base_url(f"http://127.0.0.1:{gateway.server_port}", "openai")
    monkeypatch.setenv("OWN_KEY", "own-8fJ2kQ91xZpL0vTq")
    for name in ("one", "two", "three"):
        own = Provider(name=name, variables=("OWN_KEY",), base_url=there, is_gateway=True)
        assert run(AIProviderKey(own)).problem.code == "key_unproven"
    assert gateway.received.count("own-8fJ2kQ91xZpL0vTq") == 3
    assert len(gateway.received) == 4


def test_random_key_that_met_trouble_is_not_sent_again_within_the_ttl(openai_gateway, httpserver, monkeypatch) -> None:
    openai_gateway(lambda request: Response("{}", 500))
    for _ in range(3):
        assert run(AIProviderKey("openai")).status is Status.HEALTHY
    assert len(httpserver.log) == 2


@pytest.mark.parametrize("status", [401, 403, 404, 200, 500, 429])
@pytest.mark.parametrize("is_shared", [True, False])
def test_server_that_refuses_a_random_key_gets_no_other_for_a_day(
    openai_gateway, httpserver, settings, status, is_shared
) -> None:
    """It may lock out whoever sends wrong ones. One that does not refuse it is asked again after the ttl."""
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend}, "fleet": {"BACKEND": backend, "LOCATION": f"day-{status}"}}
    key = openai_gateway(lambda request: Response(json.dumps(MODELS), status))
    for _ in range(3):
        run(AIProviderKey("openai", ttl=1, share="fleet" if is_shared else None))
        time.sleep(2.1)
    caches["fleet"].clear()
    about = [key in request.headers["authorization"] for request, _ in httpserver.log]
    assert about.count(True) == 3
    assert (about.count(False) == 1) is (status in {401, 403})


@pytest.mark.parametrize("is_open", [True, False])
def test_fleet_sends_one_random_key(monkeypatch, settings, gateway, is_open) -> None:
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend}, "fleet": {"BACKEND": backend, "LOCATION": "gateway-fleet"}}
    gateway.is_open = is_open
    keys = [key_of(PROVIDERS["openai"], RNG) for _ in range(2)]
    gateway.keys = set(keys)
    monkeypatch.setenv("OPENAI_BASE_URL", gateway.base_urls["OPENAI_BASE_URL"])
    try:
        for _ in range(3):
            for key in keys:
                # Another process, which remembers nothing.
                _memory.forget()
                told = run(AIProviderKey("openai", key=lambda key=key: key, share="fleet"))
                assert told.status is (Status.DEGRADED if is_open else Status.HEALTHY)
        assert len(gateway.received) == 3
        assert len(set(gateway.received) - set(keys)) == 1
    finally:
        caches["fleet"].clear()


@pytest.mark.parametrize("is_open", [True, False])
def test_random_key_has_only_the_time_that_is_left(result, openai_gateway, httpserver, is_open) -> None:
    """And if a server was too slow for two requests in turn, both are sent at once the next time."""
    ended = threading.Event()
    is_slow = [False]

    def answer(request: Received) -> Response:
        if is_slow[0]:
            ended.wait(20)
        return Response(json.dumps(MODELS) if is_open else "{}", 200 if is_open else 401)

    openai_gateway(answer)
    is_slow[0] = True
    began = time.monotonic()
    with ending_in(2):
        told = result(AIProviderKey("openai"))
    assert time.monotonic() - began < 15
    assert (told.status, told.evidence["verdict"]) == (Status.HEALTHY, "accepted")
    is_slow[0] = False
    ended.set()
    told = result(AIProviderKey("openai"))
    assert told.status is (Status.DEGRADED if is_open else Status.HEALTHY)
    assert len(httpserver.log) >= 3


FORMS = [form for name in NAMES for form in forms(PROVIDERS[name])]


@pytest.mark.parametrize(("form", "pattern"), FORMS, ids=[form for form, _ in FORMS])
def test_random_key_is_of_the_form_and_kind_of_the_key(form, pattern) -> None:
    provider = PROVIDERS[form.rpartition("-")[0]]
    key = maker(pattern)(RNG)
    samples = {sample_of(provider, key, provider.variables[0]) for _ in range(20)}
    assert len(samples) == 20
    for sample in samples:
        assert provider.has_format(sample)
        assert provider.request_for(sample, None) == provider.request_for(key, None)


def test_random_key_of_an_own_provider_is_asked_about_as_the_key() -> None:
    own = Provider(name="own", base_url="http://x", requests_by_prefix={"adm-": Request("/admin"), "x": Request("/x")})
    assert sample_of(own, "adm-8fJ2kQ91", None).startswith("adm-")
    assert sample_of(own, "k-8fJ2kQ91", None).startswith("sk-")
    assert len(sample_of(dataclasses.replace(own, specimens=()), "k-8fJ2kQ91", None)) == 48
    assert len(sample_of(dataclasses.replace(own, specimens=("fixed",)), "k-8fJ2kQ91", None)) == 48
