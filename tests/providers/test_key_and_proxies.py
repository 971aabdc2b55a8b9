"""A key is sent through the proxy of the environment, which sees it only in plain http requests."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from pytest_httpserver import HTTPServer

from healthguard.checks import AIProviderKey
from healthguard.http_client.network import certificates
from healthguard.providers import Verdict
from healthguard.status import Status
from tests.support.fixture_types import RunCheck
from tests.support.provider_answers import ANSWERS
from tests.support.recorders import (
    StartRecorder,
    Tunnel,
    assert_received_as_configured,
    assert_without,
    at_url,
    good_response,
)
from tests.support.results import problem_of

pytestmark = pytest.mark.usefixtures("no_keys_or_proxies", "watched")


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_proxy_receives_plain_http_requests(
    result: RunCheck,
    start_recorder: StartRecorder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    provider_name: str,
    provider_key: str,
    variable: str,
) -> None:
    """The proxy receives the whole request, and the server receives nothing."""
    server, proxy = start_recorder(good_response(provider_name)), start_recorder(good_response(provider_name))
    monkeypatch.setenv(variable, proxy.url.replace("//", "//proxy:pr0xy-pass@"))
    outcome = result(AIProviderKey(at_url(provider_name, server.url)))
    assert outcome.status is Status.HEALTHY, outcome.problem
    assert server.received == []
    (received,) = proxy.received
    assert f" http://127.0.0.1:{server.port}/".encode() in received
    assert_received_as_configured(received, provider_key)
    assert_without(provider_key, outcome)
    assert "pr0xy-pass" not in repr(outcome) + caplog.text


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
def test_host_in_no_proxy_is_reached_directly(
    result: RunCheck,
    start_recorder: StartRecorder,
    monkeypatch: pytest.MonkeyPatch,
    provider_name: str,
    provider_key: str,
    variable: str,
) -> None:
    server, proxy = start_recorder(good_response(provider_name)), start_recorder(good_response(provider_name))
    monkeypatch.setenv(variable, proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert result(AIProviderKey(at_url(provider_name, server.url))).status is Status.HEALTHY
    assert proxy.received == []
    assert_received_as_configured(server.received[0], provider_key)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
def test_proxy_that_refuses_a_tunnel_receives_no_key(
    result: RunCheck,
    start_recorder: StartRecorder,
    monkeypatch: pytest.MonkeyPatch,
    provider_name: str,
    provider_key: str,
    variable: str,
) -> None:
    proxy = start_recorder(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    monkeypatch.setenv(variable, proxy.url)
    outcome = result(AIProviderKey(at_url(provider_name, "https://api.example.invalid")))
    assert (outcome.status, problem_of(outcome).code) == (Status.DEGRADED, "provider_down")
    (received,) = proxy.received
    assert received.startswith(b"CONNECT api.example.invalid:443 ")
    assert_without(provider_key, outcome, received)


@pytest.fixture(scope="module")
def tls_server() -> Iterator[tuple[HTTPServer, trustme.CA]]:
    """A server with a certificate, and the authority that issued the certificate."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = HTTPServer(ssl_context=context)
    server.start()
    yield server, authority
    server.stop()


def test_proxy_does_not_see_the_key_in_a_tunnel(
    result: RunCheck,
    start_recorder: StartRecorder,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tls_server: tuple[HTTPServer, trustme.CA],
    provider_name: str,
    provider_key: str,
) -> None:
    server, authority = tls_server
    server.clear()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    certificates.cache_clear()
    content = next(answer.body for answer in ANSWERS[provider_name] if answer.verdict is Verdict.VALID)
    provider = at_url(provider_name, f"https://localhost:{server.port}")
    path = urlsplit(provider.base_url).path + provider.request.path
    server.expect_request(path.partition("?")[0]).respond_with_json(content)
    proxy = start_recorder(kind=Tunnel)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    try:
        outcome = result(AIProviderKey(provider))
    finally:
        certificates.cache_clear()
    assert outcome.status is Status.HEALTHY, outcome.problem
    ((request, _),) = server.log
    assert provider_key in str(request.headers)
    head, inside = proxy.received
    assert head.startswith(f"CONNECT localhost:{server.port} ".encode())
    assert len(inside) > 200
    assert_without(provider_key, head, inside, outcome)


@pytest.mark.parametrize(
    "proxy", ["socks5://u:pr0xy-pass@127.0.0.1:1", "http://u:pr0xy-pass@[bad", "ftp://x", "garbage"]
)
def test_key_is_not_sent_without_an_unusable_proxy(
    result: RunCheck,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    start_recorder: StartRecorder,
    provider_name: str,
    provider_key: str,
    proxy: str,
) -> None:
    server = start_recorder(good_response(provider_name))
    monkeypatch.setenv("ALL_PROXY", proxy)
    outcome = result(AIProviderKey(at_url(provider_name, server.url)))
    assert (outcome.status, problem_of(outcome).code) == (Status.DEGRADED, "provider_down")
    assert server.received == []
    assert_without(provider_key, outcome)
    assert "pr0xy-pass" not in repr(outcome) + caplog.text
