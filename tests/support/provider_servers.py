"""A local server that responds as a provider does."""

from __future__ import annotations

import dataclasses
import json
import re
from urllib.parse import urlsplit

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request as Received
from werkzeug import Response

from healthguard.providers import PROVIDERS, Provider, Verdict
from tests.support.provider_answers import ANSWERS, Answer, in_a_minute

NAMES = sorted(PROVIDERS)
"""The names of all providers, in an order that is the same in every process."""

GOOD = {name: next(answer for answer in ANSWERS[name] if answer.verdict is Verdict.VALID) for name in NAMES}
"""The response of each provider to a valid key."""


def at_server(provider: Provider, server: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """Return ``provider``, moved to ``server`` and its own path there. No random key is sent to it."""
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", server.url_for("/"))
    if provider.name == "azure_openai":
        return dataclasses.replace(provider, unknown_keys="refused")
    base_url = server.url_for(urlsplit(provider.base_url).path).rstrip("/")
    return dataclasses.replace(provider, base_url=base_url, unknown_keys="refused")


def respond_to_all(server: HTTPServer, answer: Answer, key: str) -> None:
    """Let ``server`` send this response to every request. ``{key}`` in the body is replaced by ``key``."""
    content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
    headers = {"Content-Type": "application/json", **answer.headers}
    if headers.get("Retry-After") == "in a minute":
        headers["Retry-After"] = in_a_minute()
    if "Location" in headers:
        headers["Location"] = server.url_for("/trap")
    response = Response(content.replace(b"{key}", key.encode()), answer.status, headers)
    server.clear()
    server.expect_request(re.compile(".*")).respond_with_response(response)


def respond_to_key(server: HTTPServer, answer: Answer, key: str) -> None:
    """Let ``server`` send this response to requests with ``key``, and reject all others."""

    def respond(request: Received) -> Response:
        is_known = any(key in line for _, line in request.headers)
        return Response(json.dumps(answer.body) if is_known else "{}", answer.status if is_known else 401)

    server.clear()
    server.expect_request(re.compile(".*")).respond_with_handler(respond)


def requests_to(server: HTTPServer) -> list[Received]:
    """Return the requests that ``server`` has received."""
    return [request for request, _ in server.log]
