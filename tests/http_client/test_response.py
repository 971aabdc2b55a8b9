"""Responses that are compressed or too long."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from healthguard.checks import AIProviderKey
from healthguard.status import Status
from tests.support.ai_keys import BASE_URLS, PATHS, ServeProvider
from tests.support.fixture_types import FindProblem, RunCheck

pytestmark = pytest.mark.usefixtures("ai_key_environment")


def test_endless_response_is_not_read_to_its_end(
    problem: FindProblem, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, ai_provider: str
) -> None:
    sent: list[int] = []

    def endless() -> Iterator[bytes]:
        for _ in range(200):
            sent.append(1)
            yield b"x" * 65536

    httpserver.expect_request(PATHS[ai_provider]).respond_with_handler(lambda request: Response(endless()))
    monkeypatch.setenv(BASE_URLS[ai_provider], httpserver.url_for("").rstrip("/"))
    found = problem(AIProviderKey(ai_provider))
    assert found.code == "provider_inconclusive"
    assert "too long" in found.message
    assert len(sent) < 200


@pytest.mark.parametrize(
    ("encoding", "fold"), [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)]
)
@pytest.mark.parametrize("ai_provider", ["openai"], indirect=True)
def test_compressed_response_is_read(
    result: RunCheck,
    problem: FindProblem,
    serve_provider: ServeProvider,
    ai_provider: str,
    encoding: str,
    fold: Callable[[bytes], bytes],
) -> None:
    """Some servers compress a response although the request declines compression."""
    server = serve_provider(200, fold(b'{"data": []}'), {"Content-Encoding": encoding})
    assert result(AIProviderKey(ai_provider)).status is Status.HEALTHY
    server.clear()
    serve_provider(401, fold(b'{"error": {"code": "invalid_api_key"}}'), {"Content-Encoding": encoding})
    assert problem(AIProviderKey(ai_provider)).code == "key_rejected"


# Each body is created by its own test. To create all of them takes half a second, in every process of the run.
COMPRESSED_BODIES: dict[str, Callable[[], bytes]] = {
    "much": lambda: gzip.compress(b"[" * 50_000_000),
    "twice": lambda: gzip.compress(gzip.compress(b"0" * 100_000_000)),
    "plain": lambda: b"not compressed at all",
    "cut": lambda: gzip.compress(b'{"data": []}')[:-12],
    "empty": lambda: b"",
}


@pytest.mark.parametrize("folded", COMPRESSED_BODIES)
@pytest.mark.parametrize("ai_provider", ["openai"], indirect=True)
def test_body_that_cannot_be_decompressed_is_inconclusive(
    problem: FindProblem, serve_provider: ServeProvider, ai_provider: str, folded: str
) -> None:
    """A small body that decompresses to a huge one does not fill the memory."""
    body = COMPRESSED_BODIES[folded]()
    serve_provider(200, body, {"Content-Encoding": "gzip, gzip" if folded == "twice" else "gzip"})
    tracemalloc.start()
    try:
        assert problem(AIProviderKey(ai_provider)).code == "provider_inconclusive"
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    finally:
        tracemalloc.stop()
