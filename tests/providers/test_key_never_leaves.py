"""A key is sent only to the configured server, in one header."""

from __future__ import annotations

import base64
import dataclasses
import random

import pytest
from asgiref.sync import async_to_sync

from healthguard.checks import AIProviderKey
from healthguard.providers import BEARER, PROVIDERS, Provider, Verdict, VerificationRequest
from healthguard.providers.routed_key import RoutedKey
from healthguard.providers.verification import verify
from healthguard.runtime.deadline import deadline_after
from healthguard.status import Status
from tests.support.fixture_types import RunCheck
from tests.support.keys import key_of
from tests.support.recorders import (
    OK,
    StartRecorder,
    assert_received_as_configured,
    assert_without,
    at_url,
    good_response,
)
from tests.support.results import problem_of

pytestmark = pytest.mark.usefixtures("no_keys_or_proxies")

RNG = random.Random("test_key_never_leaves")


@pytest.mark.usefixtures("watched")
def test_only_the_configured_server_receives_the_key(
    result: RunCheck, start_recorder: StartRecorder, provider_name: str, provider_key: str
) -> None:
    server = start_recorder(good_response(provider_name))
    outcome = result(AIProviderKey(at_url(provider_name, server.url)))
    assert outcome.status is Status.HEALTHY, outcome.problem
    assert_without(provider_key, outcome)
    (received,) = server.received
    assert_received_as_configured(received, provider_key)


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_to_another_server_is_not_followed(
    result: RunCheck, start_recorder: StartRecorder, provider_name: str, provider_key: str, status: int, scheme: str
) -> None:
    trap = start_recorder(good_response(provider_name))
    response = f"HTTP/1.1 {status} Moved\r\nLocation: {scheme}://127.0.0.1:{trap.port}/\r\nContent-Length: 0\r\n\r\n"
    server = start_recorder(response.encode())
    outcome = result(AIProviderKey(at_url(provider_name, server.url)))
    assert (outcome.status, problem_of(outcome).code) == (Status.DEGRADED, "provider_inconclusive")
    assert_without(provider_key, outcome)
    assert trap.received == []
    assert len(server.received) == 1
    assert f":{trap.port}" not in repr(outcome), "the target of the redirect is not shown"


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("status", [302, 308])
def test_redirect_to_the_same_server_is_not_followed(
    result: RunCheck, start_recorder: StartRecorder, provider_name: str, provider_key: str, status: int
) -> None:
    server = start_recorder(f"HTTP/1.1 {status} Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n".encode())
    assert result(AIProviderKey(at_url(provider_name, server.url))).status is Status.DEGRADED
    assert len(server.received) == 1


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"\x00\xff" * 99,
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header Without Colon\r\n\r\n",
        b"HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 500 " + b"x" * 200_000,
    ],
    ids=lambda response: response[:40].decode("latin-1").encode("unicode_escape").decode() or "nothing",
)
def test_report_about_a_broken_response_shows_no_key(
    result: RunCheck, start_recorder: StartRecorder, provider_name: str, provider_key: str, response: bytes
) -> None:
    server = start_recorder(response)
    outcome = result(AIProviderKey(at_url(provider_name, server.url)))
    assert outcome.problem is not None
    assert outcome.problem.code in {"provider_down", "provider_inconclusive", "key_rejected"}
    assert_without(provider_key, outcome)
    assert server.received
    for received in server.received:
        assert_received_as_configured(received, provider_key)


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "https://127.0.0.1:{port}", "http://nobody.invalid", "ftp://x", "http://[", "", "?"]
)
def test_report_about_an_unusable_base_url_shows_no_key(
    result: RunCheck, start_recorder: StartRecorder, provider_name: str, provider_key: str, url: str
) -> None:
    server = start_recorder()
    with deadline_after(4):
        outcome = result(AIProviderKey(at_url(provider_name, url.format(port=server.port))))
    assert problem_of(outcome).code in {"provider_down", "invalid_declaration"}
    assert_without(provider_key, outcome, *server.received)


@pytest.mark.usefixtures("watched")
def test_credentials_in_the_base_url_are_sent_but_not_shown(
    result: RunCheck,
    start_recorder: StartRecorder,
    provider_name: str,
    provider_key: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """User and password go to the server, as in the providers' own clients. A query and a fragment are not sent."""
    server = start_recorder(good_response(provider_name))
    url = at_url(provider_name, server.url).base_url.replace("//", "//gate:k33per-p%40ss@")
    provider = dataclasses.replace(at_url(provider_name, server.url), base_url=f"{url}?q=qu3ry-secret#fr4gment-secret")
    outcome = result(AIProviderKey(provider))
    if provider.request.headers == BEARER:
        assert outcome.status is Status.DEGRADED
        assert problem_of(outcome).code == "provider_inconclusive", "the key was not verified"
    else:
        assert outcome.status is Status.HEALTHY, outcome.problem
    head = server.received[0].decode()
    basic = base64.b64encode(b"gate:k33per-p@ss").decode()
    assert head.count(basic) == 1
    if provider.request.headers == BEARER:
        # There is one Authorization header. Like those clients, httpx uses it for the user of the URL.
        assert_without(provider_key, head)
    else:
        assert_received_as_configured(server.received[0].replace(basic.encode(), b""), provider_key)
    shown = repr(outcome) + caplog.text
    assert "secret" not in head
    for secret in ("k33per", "qu3ry-secret", "fr4gment-secret", basic):
        assert secret not in shown


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("value", ["{key}\n", "{key}\r\nX-Other: 1", "{key}\x00", "k\u00e4y-{key}", "{key} "])
def test_value_that_no_header_can_hold_is_neither_sent_nor_shown(
    start_recorder: StartRecorder, provider_name: str, provider_key: str, value: str
) -> None:
    """The errors of HTTP libraries contain whole headers. The check itself reports such a value earlier."""
    server = start_recorder(good_response(provider_name))
    provider = at_url(provider_name, server.url)
    key = RoutedKey(provider, value.format(key=provider_key), provider.resolve_endpoint(), None)
    verified = async_to_sync(verify)(key, limit=4.0)
    assert_without(provider_key, repr(verified))
    assert verified.verdict is Verdict.DOWN
    assert server.received in ([], [b""])


def test_own_provider_can_send_the_key_in_two_headers(
    result: RunCheck, start_recorder: StartRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_of(PROVIDERS["mistral"], RNG)
    monkeypatch.setenv("OWN_KEY", key)
    server = start_recorder(OK % (11, b'{"data":[]}'))
    headers = {"x-one": "{key}", "x-two": "token={key}"}
    request = VerificationRequest("/models", headers)
    provider = Provider(
        name="own", variables=("OWN_KEY",), base_url=server.url, request=request, unknown_keys="refused"
    )
    assert result(AIProviderKey(provider)).status is Status.HEALTHY
    assert server.received[0].decode().count(key) == 2
