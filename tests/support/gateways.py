"""The gateways in the tests of AI keys."""

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
from healthguard.providers.verdict_cache import _cache
from tests.support.provider_answers import MODELS


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the keys, base URLs and switches of this machine from the environment, and clear the cache of verdicts."""
    for provider in PROVIDERS.values():
        names = (*provider.variables, *provider.endpoint_variables, *(switch.variable for switch in provider.switches))
        for name in names:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    _cache.clear()


@pytest.fixture
def gateway() -> Iterator[Simulator]:
    """A gateway that accepts every key."""
    server = Simulator(is_open=True).start()
    yield server
    server.stop()


def serve(server: HTTPServer, key: str, answer: Callable[[Received], Response]) -> None:
    """Let ``server`` return the list of models for ``key``, and the response of ``answer`` for any other key."""

    def respond(request: Received) -> Response:
        is_known = any(key in line for _, line in request.headers)
        return Response(json.dumps(MODELS), content_type="application/json") if is_known else answer(request)

    server.expect_request(re.compile(".*")).respond_with_handler(respond)


@pytest.fixture
def openai_gateway(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that starts a gateway for OpenAI's SDK and returns the key that the gateway accepts."""

    def start(answer: Callable[[Received], Response], key: str = "virtual-8fJ2kQ91xZpL0vTq") -> str:
        httpserver.clear()
        serve(httpserver, key, answer)
        monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
        monkeypatch.setenv("OPENAI_API_KEY", key)
        return key

    return start
