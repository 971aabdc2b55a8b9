"""What a process knows of a key: one call at a time, none before the provider wants one, when it was last good."""

from __future__ import annotations

import datetime
import email.utils
import threading
import time

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from example_project.deployment import anthropic_key
from healthguard import Service
from healthguard.checks import AIProviderKey
from healthguard.service import SPREAD, place
from healthguard.status import Status

MODELS = {"data": []}


@pytest.fixture
def asked(httpserver: HTTPServer, monkeypatch) -> HTTPServer:
    monkeypatch.setenv("ANTHROPIC_API_KEY", anthropic_key())
    monkeypatch.setenv("ANTHROPIC_BASE_URL", httpserver.url_for("").rstrip("/"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    return httpserver


def test_one_call_at_a_time_for_one_key(result, asked) -> None:
    busy: list[int] = []

    def answer(request: object) -> Response:
        busy.append(1)
        time.sleep(0.5)
        return Response('{"data": []}', content_type="application/json")

    asked.expect_request("/v1/models").respond_with_handler(answer)
    told: list[Status] = []
    threads = [
        threading.Thread(target=lambda: told.append(result(AIProviderKey("anthropic")).status)) for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [Status.HEALTHY] * 10
    assert len(busy) <= 2, "whoever comes while one asks takes what that one finds, or what the next finds"


@pytest.mark.parametrize("kind", ["seconds", "date"])
def test_nobody_asks_before_the_provider_wants_it(result, asked, kind) -> None:
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=3)
    wait = "2" if kind == "seconds" else email.utils.format_datetime(later, usegmt=True)
    asked.expect_ordered_request("/v1/models").respond_with_data("{}", 429, {"Retry-After": wait})
    asked.expect_ordered_request("/v1/models").respond_with_json(MODELS)
    began = time.monotonic()
    for _ in range(3):
        assert result(AIProviderKey("anthropic")).problem.code == "provider_rate_limited"
    assert len(asked.log) == 1
    while result(AIProviderKey("anthropic")).status is not Status.HEALTHY:
        assert time.monotonic() - began < 6
        time.sleep(0.1)
    assert time.monotonic() - began > 1.8
    assert len(asked.log) == 2


@pytest.mark.parametrize("wait", ["nonsense", "-5", "nan", "Fri, 31 Nov 2026", ""])
def test_a_wait_that_cannot_be_meant_is_none(result, asked, wait) -> None:
    asked.expect_ordered_request("/v1/models").respond_with_data("{}", 429, {"Retry-After": wait})
    asked.expect_ordered_request("/v1/models").respond_with_json(MODELS)
    assert result(AIProviderKey("anthropic")).problem.code == "provider_rate_limited"
    assert result(AIProviderKey("anthropic")).status is Status.HEALTHY


@pytest.mark.parametrize(("status", "code"), [(503, "provider_down"), (404, "provider_unclear")])
def test_a_good_verification_is_told_of_while_the_provider_is_in_trouble(result, asked, status, code) -> None:
    asked.expect_ordered_request("/v1/models").respond_with_data("{}", status)
    asked.expect_ordered_request("/v1/models").respond_with_json(MODELS)
    asked.expect_ordered_request("/v1/models").respond_with_data("{}", status)
    before = result(AIProviderKey("anthropic")).problem
    assert before.code == code
    assert "last_verified_at" not in before.evidence
    assert result(AIProviderKey("anthropic")).status is Status.HEALTHY
    after = result(AIProviderKey("anthropic"))
    assert (after.status, after.problem.code) == (Status.DEGRADED, code)
    verified = datetime.datetime.fromisoformat(str(after.problem.evidence["last_verified_at"]))
    assert datetime.datetime.now(datetime.UTC) - verified < datetime.timedelta(seconds=10)
    assert "It was last verified at 20" in after.problem.message


def test_a_new_key_was_never_verified(result, asked, monkeypatch) -> None:
    asked.expect_ordered_request("/v1/models").respond_with_json(MODELS)
    asked.expect_ordered_request("/v1/models").respond_with_data("", 500)
    assert result(AIProviderKey("anthropic")).status is Status.HEALTHY
    monkeypatch.setenv("ANTHROPIC_API_KEY", anthropic_key())
    assert "last_verified_at" not in result(AIProviderKey("anthropic")).problem.evidence


def test_a_fleet_does_not_ask_in_step() -> None:
    ttls = [place(Service(AIProviderKey("anthropic")), ("one",)).ttl for _ in range(100)]
    assert all(300 * (1 - SPREAD) <= ttl <= 300 for ttl in ttls)
    assert len(set(ttls)) > 90
    assert place(Service(AIProviderKey("anthropic"), ttl=300), ("one",)).ttl == 300
