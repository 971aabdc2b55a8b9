"""Calls over the network use the proxies and the certificates of the environment, and name invalid ones."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from pytest_httpserver import HTTPServer

from healthguard.checks import AIProviderKey, HTTPEndpoint
from healthguard.http_client.network import certificates
from healthguard.status import Status
from tests.support.ai_keys import ServeProvider
from tests.support.endpoints import THINGS
from tests.support.fixture_types import FindProblem, RunCheck
from tests.support.results import problem_of


def tls_context(ca: trustme.CA) -> ssl.SSLContext:
    """Return the settings of a server whose certificate ``ca`` issues."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.mark.usefixtures("endpoint_urls")
def test_untrusted_certificate_is_reported(problem: FindProblem) -> None:
    with HTTPServer(ssl_context=tls_context(trustme.CA())) as server:
        found = problem(HTTPEndpoint(server.url_for("/things")))
    assert found.code == "endpoint_unreachable"
    assert "(SSLCertVerificationError)" in found.message


@pytest.mark.usefixtures("endpoint_urls")
def test_certificate_of_the_environment_is_trusted(
    result: RunCheck, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    certificates.cache_clear()
    with HTTPServer(ssl_context=tls_context(ca)) as server:
        server.expect_request("/things").respond_with_json(THINGS)
        assert result(HTTPEndpoint(server.url_for("/things"))).problem is None
    certificates.cache_clear()


@pytest.mark.usefixtures("endpoint_urls")
def test_proxy_of_the_environment_is_used(
    result: RunCheck, endpoint_server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTP_PROXY", endpoint_server.url_for("/"))
    endpoint_server.expect_request("/elsewhere").respond_with_json({"by": "proxy"})
    check = HTTPEndpoint("http://elsewhere.invalid/elsewhere", expect={"by": "proxy"})
    assert result(check).problem is None


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("HTTP_PROXY", "ftp://proxy.invalid", "HTTP_PROXY"),
        ("HTTP_PROXY", "http://proxy:bad", "HTTP_PROXY"),
        ("HTTP_PROXY", "http://no-such-proxy.invalid:3128", "no such host name, via the environment's proxy"),
        ("HTTP_PROXY", "http://127.0.0.1:1", "ConnectionRefusedError, via the environment's proxy"),
        ("HTTP_PROXY", "http://127.0.0.1:99999", "via the environment's proxy"),
        ("SSL_CERT_FILE", "/no/such/file", "SSL_CERT_FILE"),
        ("SSL_CERT_FILE", "/dev/null", "SSL_CERT_FILE"),
    ],
)
@pytest.mark.parametrize("ai_provider", ["openai"], indirect=True)
def test_invalid_network_settings_are_named(
    result: RunCheck,
    serve_provider: ServeProvider,
    monkeypatch: pytest.MonkeyPatch,
    ai_provider: str,
    variable: str,
    value: str,
    words: str,
) -> None:
    serve_provider(200, {"data": []})
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv(variable, value)
    certificates.cache_clear()
    outcome = result(AIProviderKey(ai_provider))
    certificates.cache_clear()
    found = problem_of(outcome)
    assert (outcome.status, found.code) == (Status.DEGRADED, "provider_down")
    assert words in found.message
