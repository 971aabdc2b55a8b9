"""The exchange in the tests of CredentialExchange, in this process and on a server.

This module is the URLconf of the exchange in this process. It is also a pytest plugin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.http import HttpRequest, JsonResponse
from django.test import override_settings
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from pytest_httpserver import HTTPServer

PATH = "/api/v1/credentials/exchange"
BOTH = ["anthropic", "openai"]

Vend = Callable[[object], str]
"""``vend(content)`` makes the exchange respond with ``content`` and returns its path or its URL."""

vended: object = None
"""The content of the responses of the exchange in this process."""


@csrf_exempt
def exchange(request: HttpRequest) -> JsonResponse:
    return JsonResponse(vended, safe=False)


urlpatterns = [path(PATH[1:], exchange)]


def vend_in_process(monkeypatch: pytest.MonkeyPatch, content: object) -> str:
    """Make the exchange in this process respond with ``content``, and return its path."""
    monkeypatch.setitem(globals(), "vended", content)
    return PATH


def credentials(**keys: object) -> dict[str, Any]:
    """Return the content of a response with a key for each provider."""
    return {"credentials": {name: {"api_key": key} for name, key in keys.items()}}


@pytest.fixture
def exchange_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use this module as the URLconf, without this machine's base URLs and without a proxy for this machine."""
    for name in ("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with override_settings(ROOT_URLCONF=__name__):
        yield


@pytest.fixture(params=["inside", "network"])
def vend(request: pytest.FixtureRequest, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Vend:
    """Return a function that makes the exchange respond, in this process or on a server, and returns its address."""

    def respond_with(content: object) -> str:
        if request.param == "inside":
            return vend_in_process(monkeypatch, content)
        httpserver.expect_request(PATH).respond_with_json(content)
        return httpserver.url_for(PATH)

    return respond_with
