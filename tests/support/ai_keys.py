"""The keys in the tests of AIProviderKey, and a provider that verifies them. This module is a pytest plugin."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from example_project.deployment import anthropic_key, openai_key

KEYS = {"anthropic": anthropic_key(), "openai": openai_key()}
VARIABLES = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
BASE_URLS = {"anthropic": "ANTHROPIC_BASE_URL", "openai": "OPENAI_BASE_URL"}
"""The environment variables of the base URLs."""
PATHS = {"anthropic": "/v1/models", "openai": "/models"}
"""The paths, below the base URLs, to which the verification requests are sent."""

ServeProvider = Callable[..., HTTPServer]
"""``serve_provider(status, body, headers)`` makes a server respond as the provider and returns the server."""


@pytest.fixture
def ai_key_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove this machine's keys and base URLs, and call servers on this machine without a proxy."""
    for name in (
        *("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY", "OPENAI_ADMIN_KEY"),
        *BASE_URLS.values(),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture(params=["anthropic", "openai"])
def ai_provider(request: pytest.FixtureRequest, ai_key_environment: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a provider whose key is in the environment."""
    name: str = request.param
    monkeypatch.setenv(VARIABLES[name], KEYS[name])
    return name


@pytest.fixture
def serve_provider(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, ai_provider: str) -> ServeProvider:
    """Return a function that makes a server respond as the provider.

    The server returns a status 200 only for the key, and a status 401 for any other key.
    """

    def serve(status: int, body: object = b"", headers: dict[str, str] | None = None) -> HTTPServer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()

        def respond(request: Request) -> Response:
            # The user of a URL is sent instead of a bearer token.
            is_user = (
                ai_provider == "openai" and request.authorization is not None and request.authorization.type == "basic"
            )
            is_known = status != 200 or is_user or any(KEYS[ai_provider] in line for _, line in request.headers)
            lines = {"Content-Type": "application/json", **(headers or {})}
            return Response(content, status, lines) if is_known else Response("{}", 401)

        httpserver.expect_request(PATHS[ai_provider]).respond_with_handler(respond)
        monkeypatch.setenv(BASE_URLS[ai_provider], httpserver.url_for("").rstrip("/"))
        return httpserver

    return serve
