"""Gateways for the tests of AI keys."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request as Received
from werkzeug import Response

from example_project.provider_simulator import Simulator
from healthguard.providers import PROVIDERS
from healthguard.providers.remembered import _memory
from tests.checks.provider_answers import MODELS


@pytest.fixture
def no_keys(monkeypatch) -> None:
    """No key, base URL or switch of this machine, and nothing remembered."""
    for provider in PROVIDERS.values():
        names = (*provider.variables, *provider.place_variables, *(switch.variable for switch in provider.switches))
        for name in names:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    _memory.forget()


@pytest.fixture
def gateway() -> Iterator[Simulator]:
    """A gateway that checks no keys."""
    server = Simulator(is_open=True).start()
    yield server
    server.stop()


def serve(server: HTTPServer, key: str, answer: Callable[[Received], Response]) -> None:
    """Let ``server`` list models for ``key``, and answer anybody else this way."""

    def respond(request: Received) -> Response:
        is_key = any(key in line for _, line in request.headers)
        return Response(json.dumps(MODELS), content_type="application/json") if is_key else answer(request)

    server.expect_request(re.compile(".*")).respond_with_handler(respond)


@pytest.fixture
def openai_gateway(httpserver, monkeypatch) -> Callable[..., str]:
    """Serve as OpenAI's gateway; returns the key that it knows."""

    def start(answer: Callable[[Received], Response], key: str = "virtual-8fJ2kQ91xZpL0vTq") -> str:
        httpserver.clear()
        serve(httpserver, key, answer)
        monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
        monkeypatch.setenv("OPENAI_API_KEY", key)
        return key

    return start
