"""The fixtures that several tests of the providers share."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer

from example_project.deployment import anthropic_key
from healthguard.providers import PROVIDERS
from tests.support.amounts import one_of_each
from tests.support.keys import key_of
from tests.support.recorders import Recorder, StartRecorder, assert_without

RNG = random.Random("conftest")


@pytest.fixture(autouse=True)
def patient_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait longer for a call of a shared cache, because a busy machine may take more than half a second for one."""
    monkeypatch.setattr("healthguard.providers.shared_cache.CACHE_SECONDS", 30.0)


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Confirm rejections without a pause, because some hundred responses need a second request."""
    monkeypatch.setattr("healthguard.providers.verification._PAUSE_SECONDS", 0.0)


@pytest.fixture
def no_provider_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the keys and the base URLs of this machine from the environment."""
    for provider in PROVIDERS.values():
        names = (*provider.variables, *provider.base_url_variables)
        for name in (*names, "AZURE_OPENAI_ENDPOINT", "AWS_REGION", "AWS_DEFAULT_REGION"):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def no_keys_or_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the keys, the base URLs and the proxies of this machine from the environment, and debug asyncio."""
    for provider in PROVIDERS.values():
        for name in (*provider.variables, *provider.base_url_variables):
            monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")


@pytest.fixture
def start_recorder() -> Iterator[StartRecorder]:
    """Return a function that starts a recording server, which is stopped after the test."""
    servers: list[Recorder] = []

    def start(response: bytes = b"", kind: type[Recorder] = Recorder) -> Recorder:
        servers.append(kind(response))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def request_kind(name: str) -> tuple[str, ...]:
    """Return the method and the headers of the provider's request."""
    request = PROVIDERS[name].request
    return (request.method, *(f"{header}: {value}" for header, value in sorted(request.headers.items())))


NAMES: list[str] = sorted(PROVIDERS)


EXAMPLES = one_of_each(NAMES, request_kind)


@pytest.fixture(params=EXAMPLES)
def provider_name(request: pytest.FixtureRequest) -> str:
    """The name of each provider, or of one for each kind of request."""
    name: str = request.param
    return name


@pytest.fixture
def provider_key(provider_name: str, monkeypatch: pytest.MonkeyPatch, no_keys_or_proxies: None) -> str:
    """A random key of the provider, which is also set as its first variable."""
    key = key_of(PROVIDERS[provider_name], RNG)
    monkeypatch.setenv(PROVIDERS[provider_name].variables[0], key)
    return key


@pytest.fixture
def watched(provider_key: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Assert that nothing that is logged or printed during the test contains the key, at any level."""
    with caplog.at_level(logging.DEBUG):
        for logger in ("httpx", "httpcore", "asyncio", "healthguard"):
            caplog.set_level(logging.DEBUG, logger)
        yield
    records = [str(vars(record)) for record in caplog.records]
    assert_without(provider_key, caplog.text, *records, *capfd.readouterr())


@pytest.fixture
def claude_server(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> HTTPServer:
    """A server to which the environment sends the requests for Anthropic, and a key in the environment."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", anthropic_key())
    monkeypatch.setenv("ANTHROPIC_BASE_URL", httpserver.url_for("").rstrip("/"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    return httpserver
