"""The key reaches the configured server, in one header line, and nothing else: no host, no log, no text."""

from __future__ import annotations

import base64
import dataclasses
import json
import logging
import os
import random
import socket
import ssl
import threading
import traceback
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest
import trustme
from django.core.cache import caches
from django.test import Client, override_settings
from pytest_httpserver import HTTPServer

from healthguard.calling.network import certificates
from healthguard.checks import AIProviderKey
from healthguard.deadline import ending_in
from healthguard.exceptions import Degraded, Unhealthy
from healthguard.providers import BEARER, PROVIDERS, Provider, Request, Verdict, verification
from healthguard.providers.inspection import Key, judgement
from healthguard.status import Status
from tests.checks.provider_answers import ANSWERS
from tests.keys import key_of

NAMES = sorted(PROVIDERS)
RNG = random.Random(os.urandom(8))
TOKEN = "details-token-0123456789"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"


class Recorder:
    """A server that keeps every byte that it receives, answers each connection the same way, and closes it."""

    def __init__(self, answer: bytes = b"") -> None:
        self.answer = answer
        self.received: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(60)
                self.received.append(b"")
                try:
                    # A TLS handshake has no end of a head: whatever comes is enough then.
                    while b"\r\n\r\n" not in self.received[-1] and not self.received[-1].startswith(b"\x16"):
                        if not (chunk := connection.recv(65536)):
                            break
                        self.received[-1] += chunk
                    connection.sendall(self.answer)
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(1)
                except OSError:
                    pass

    def stop(self) -> None:
        # Closing alone does not wake who waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class Tunnel(Recorder):
    """A proxy that opens tunnels as it is asked to, and keeps every byte that goes into them."""

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(65536)
            self.received += [head, b""]
            host, _, port = head.split()[1].decode().partition(":")
            with socket.create_connection((host, int(port))) as target:
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=self._pour, args=(target, connection), daemon=True)
                back.start()
                while chunk := _received(connection):
                    self.received[-1] += chunk
                    target.sendall(chunk)
                back.join(5)

    @staticmethod
    def _pour(source: socket.socket, sink: socket.socket) -> None:
        while chunk := _received(source):
            sink.sendall(chunk)


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except OSError:
        return b""


def good(name: str) -> bytes:
    """The provider's answer to a real key."""
    content = json.dumps(next(a.body for a in ANSWERS[name] if a.verdict is Verdict.REAL)).encode()
    return GOOD % (len(content), content)


def forms_of(key: str) -> list[bytes]:
    """How the key can look: as it is, as a part of a URL, and within base64, which begins in three ways."""
    texts = [key, quote(key, safe=""), key[8:40]]
    # The first and the last characters hold bits of their neighbours.
    texts += [base64.b64encode((before + key).encode()).decode()[4:-4] for before in ("", "a", "ab")]
    return [text.encode() for text in texts]


def assert_without(key: str, *texts: object) -> None:
    for text in texts:
        content = text if isinstance(text, bytes) else str(text).encode()
        for form in forms_of(key):
            assert form not in content


@pytest.fixture(autouse=True)
def _bare(monkeypatch) -> None:
    for provider in PROVIDERS.values():
        for name in (*provider.variables, *provider.base_url_variables):
            monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")


@pytest.fixture
def recorder() -> Iterator[type[Recorder]]:
    """Make servers that are stopped after the test."""
    made: list[Recorder] = []

    def make(answer: bytes = b"", kind: type[Recorder] = Recorder) -> Recorder:
        made.append(kind(answer))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


@pytest.fixture
def key(name, monkeypatch) -> str:
    """A key of the provider, in its first variable."""
    value = key_of(PROVIDERS[name], RNG)
    monkeypatch.setenv(PROVIDERS[name].variables[0], value)
    return value


@pytest.fixture
def watched(key, caplog, capfd) -> Iterator[None]:
    """Whatever is logged or printed while the test runs, at every level and by everybody, is without the key."""
    with caplog.at_level(logging.DEBUG):
        for logger in ("httpx", "httpcore", "asyncio", "healthguard"):
            caplog.set_level(logging.DEBUG, logger)
        yield
    records = [str(vars(record)) for record in caplog.records]
    assert_without(key, caplog.text, *records, *capfd.readouterr())


def at_url(name: str, url: str) -> Provider:
    """The provider, at ``url``, under its own path; declared to refuse unknown keys, so that none is sent."""
    provider = PROVIDERS[name]
    path = "" if name == "azure_openai" else urlsplit(provider.base_url).path
    return dataclasses.replace(provider, base_url=url + path, unknown_keys="refused")


def assert_received_as_configured(received: bytes, name: str, key: str) -> None:
    """The key stands in one header line, alone or after Bearer."""
    head = received.decode("latin-1")
    assert head.count(key) == 1
    (line,) = [line for line in head.split("\r\n") if key in line]
    assert line.partition(": ")[2] in {key, f"Bearer {key}"}
    assert_without(key, head.replace(key, ""))


@pytest.mark.usefixtures("watched")
def test_only_the_configured_server_receives_it(result, recorder, name, key) -> None:
    server = recorder(good(name))
    told = result(AIProviderKey(at_url(name, server.url)))
    assert told.status is Status.HEALTHY, told.problem
    assert_without(key, told)
    (received,) = server.received
    assert_received_as_configured(received, name, key)


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_leads_nowhere(result, recorder, name, key, status, scheme) -> None:
    trap = recorder(good(name))
    answer = f"HTTP/1.1 {status} Moved\r\nLocation: {scheme}://127.0.0.1:{trap.port}/\r\nContent-Length: 0\r\n\r\n"
    server = recorder(answer.encode())
    told = result(AIProviderKey(at_url(name, server.url)))
    assert (told.status, told.problem.code) == (Status.DEGRADED, "provider_unclear")
    assert_without(key, told)
    assert trap.received == []
    assert len(server.received) == 1
    assert f":{trap.port}" not in repr(told), "where it would have led is not told either"


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("status", [302, 308])
def test_a_redirect_to_the_same_server_is_not_followed_either(result, recorder, name, key, status) -> None:
    server = recorder(f"HTTP/1.1 {status} Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n".encode())
    assert result(AIProviderKey(at_url(name, server.url))).status is Status.DEGRADED
    assert len(server.received) == 1


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize(
    "answer",
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
    ids=lambda answer: answer[:40].decode("latin-1").encode("unicode_escape").decode() or "nothing",
)
def test_an_answer_that_is_broken(result, recorder, name, key, answer) -> None:
    server = recorder(answer)
    told = result(AIProviderKey(at_url(name, server.url)))
    assert told.problem is not None
    assert told.problem.code in {"provider_down", "provider_unclear", "key_rejected"}
    assert_without(key, told)
    for received in server.received:
        assert_received_as_configured(received, name, key)


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "https://127.0.0.1:{port}", "http://nobody.invalid", "ftp://x", "http://[", "", "?"]
)
def test_a_place_where_it_cannot_be_asked(result, recorder, name, key, url) -> None:
    server = recorder()
    with ending_in(4):
        told = result(AIProviderKey(at_url(name, url.format(port=server.port))))
    assert told.problem.code in {"provider_down", "misdeclared"}
    assert_without(key, told, *server.received)


@pytest.mark.usefixtures("watched")
def test_what_else_is_in_the_base_url_stays_there(result, recorder, name, key, caplog) -> None:
    """User and password go to the server, as the providers' own clients send them; a query and a fragment nowhere."""
    server = recorder(good(name))
    url = at_url(name, server.url).base_url.replace("//", "//gate:k33per-p%40ss@")
    provider = dataclasses.replace(at_url(name, server.url), base_url=f"{url}?q=qu3ry-secret#fr4gment-secret")
    told = result(AIProviderKey(provider))
    if provider.request.headers == BEARER:
        assert (told.status, told.problem.code) == (Status.DEGRADED, "provider_unclear"), "the key was not asked about"
    else:
        assert told.status is Status.HEALTHY, told.problem
    head = server.received[0].decode()
    basic = base64.b64encode(b"gate:k33per-p@ss").decode()
    assert head.count(basic) == 1
    if provider.request.headers == BEARER:
        # There is one Authorization line, and httpx, as within those clients, gives it to the URL's user.
        assert_without(key, head)
    else:
        assert_received_as_configured(server.received[0].replace(basic.encode(), b""), name, key)
    told_or_logged = repr(told) + caplog.text
    assert "secret" not in head
    for secret in ("k33per", "qu3ry-secret", "fr4gment-secret", basic):
        assert secret not in told_or_logged


# What an environment names as its proxy is where its traffic is meant to go: the providers' own clients go there too.


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_gets_what_is_sent_in_the_clear(result, recorder, monkeypatch, caplog, name, key, variable) -> None:
    """A plain http URL is asked for through the proxy, which sees the request whole; the server sees none of it."""
    server, proxy = recorder(good(name)), recorder(good(name))
    monkeypatch.setenv(variable, proxy.url.replace("//", "//proxy:pr0xy-pass@"))
    told = result(AIProviderKey(at_url(name, server.url)))
    assert told.status is Status.HEALTHY, told.problem
    assert server.received == []
    (received,) = proxy.received
    assert f" http://127.0.0.1:{server.port}/".encode() in received
    assert_received_as_configured(received, name, key)
    assert_without(key, told)
    assert "pr0xy-pass" not in repr(told) + caplog.text


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
def test_no_proxy_goes_by_it(result, recorder, monkeypatch, name, key, variable) -> None:
    server, proxy = recorder(good(name)), recorder(good(name))
    monkeypatch.setenv(variable, proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert result(AIProviderKey(at_url(name, server.url))).status is Status.HEALTHY
    assert proxy.received == []
    assert_received_as_configured(server.received[0], name, key)


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_that_opens_no_tunnel_gets_no_key(result, recorder, monkeypatch, name, key, variable) -> None:
    proxy = recorder(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    monkeypatch.setenv(variable, proxy.url)
    told = result(AIProviderKey(at_url(name, "https://api.example.invalid")))
    assert (told.status, told.problem.code) == (Status.DEGRADED, "provider_down")
    (received,) = proxy.received
    assert received.startswith(b"CONNECT api.example.invalid:443 ")
    assert_without(key, told, received)


@pytest.fixture(scope="module")
def secure() -> Iterator[tuple[HTTPServer, trustme.CA]]:
    """A server with a certificate, and who signed that."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = HTTPServer(ssl_context=context)
    server.start()
    yield server, authority
    server.stop()


@pytest.mark.usefixtures("watched")
def test_within_a_tunnel_the_proxy_sees_no_key(result, recorder, monkeypatch, tmp_path, secure, name, key) -> None:
    server, authority = secure
    server.clear()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    certificates.cache_clear()
    content = next(a.body for a in ANSWERS[name] if a.verdict is Verdict.REAL)
    provider = at_url(name, f"https://localhost:{server.port}")
    path = urlsplit(provider.base_url).path + provider.request.path
    server.expect_request(path.partition("?")[0]).respond_with_json(content)
    proxy = recorder(kind=Tunnel)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    try:
        told = result(AIProviderKey(provider))
    finally:
        certificates.cache_clear()
    assert told.status is Status.HEALTHY, told.problem
    ((request, _),) = server.log
    assert key in str(request.headers)
    head, inside = proxy.received
    assert head.startswith(f"CONNECT localhost:{server.port} ".encode())
    assert len(inside) > 200
    assert_without(key, head, inside, told)


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize(
    "proxy", ["socks5://u:pr0xy-pass@127.0.0.1:1", "http://u:pr0xy-pass@[bad", "ftp://x", "garbage"]
)
def test_a_proxy_that_cannot_be_used(result, monkeypatch, caplog, recorder, name, key, proxy) -> None:
    """Nothing is known of the key then, and it is not sent around the proxy."""
    server = recorder(good(name))
    monkeypatch.setenv("ALL_PROXY", proxy)
    told = result(AIProviderKey(at_url(name, server.url)))
    assert (told.status, told.problem.code) == (Status.DEGRADED, "provider_down")
    assert server.received == []
    assert_without(key, told)
    assert "pr0xy-pass" not in repr(told) + caplog.text


# What people read.


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("kind", ["good", "rejected", "down"])
def test_the_details_of_a_health_answer(recorder, healthguard_settings, name, key, kind) -> None:
    answers = {"good": good(name), "rejected": b"HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"}
    server = recorder(answers.get(kind, b""))
    check = AIProviderKey(at_url(name, server.url))
    healthguard_settings({"ai": check}, INLINE=True, DETAILS_TOKENS=[TOKEN])
    reply = Client().get("/api/health", headers={"Authorization": f"Bearer {TOKEN}"})
    state = {"good": "healthy", "down": "degraded", "rejected": "degraded" if name == "openai" else "unhealthy"}[kind]
    assert reply.json()["services"]["ai"] == state
    assert "fingerprint" in reply.content.decode()
    assert_without(key, reply.content, reply.headers)
    assert server.received


@pytest.mark.usefixtures("watched")
def test_texts_of_what_holds_it(recorder, name, key, monkeypatch) -> None:
    provider = at_url(name, "http://127.0.0.1:1")
    held = Key(provider, key, "SOME_KEY", "a Secret", {"provider": name})
    found = verification.Verification(Verdict.REJECTED, "HTTP 401", "127.0.0.1", 401)
    checks = [AIProviderKey(name), AIProviderKey(provider), AIProviderKey(name, key=lambda: key)]
    for thing in (held, found, judgement(held, found), provider, provider.place(), *checks):
        assert_without(key, repr(thing), str(thing), f"{thing}")


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize(
    "value", ["{key}\n", "{key}\x00", "k\u00e4y-{key}", '"{key}"', "Bearer {key}", "X={key}", "mock-{key}-mock"]
)
def test_exceptions(name, key, monkeypatch, value) -> None:
    """The error itself, and whatever it was raised from, as a traceback shows it."""
    from asgiref.sync import async_to_sync

    monkeypatch.setenv(PROVIDERS[name].variables[0], value.format(key=key).replace("\x00", ""))
    check = AIProviderKey(at_url(name, "http://127.0.0.1:1"), key=lambda: value.format(key=key))
    with pytest.raises((Unhealthy, Degraded)) as caught:
        async_to_sync(check.run)()
    assert_without(key, repr(caught.value), str(caught.value), *traceback.format_exception(caught.value))


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("value", ["{key}\n", "{key}\r\nX-Other: 1", "{key}\x00", "k\u00e4y-{key}", "{key} "])
def test_what_no_header_can_hold_is_neither_sent_nor_told(recorder, name, key, value) -> None:
    """The check does not come this far with it; the errors of HTTP libraries hold whole header lines."""
    from asgiref.sync import async_to_sync

    server = recorder(good(name))
    provider = at_url(name, server.url)
    found = async_to_sync(verification.verify)(
        provider, value.format(key=key), place=provider.place(), variable=None, limit=4.0
    )
    assert_without(key, repr(found))
    if value != "{key} ":
        assert found.verdict is Verdict.DOWN
        assert server.received in ([], [b""])


@pytest.mark.usefixtures("watched")
def test_what_a_fleet_shares(result, recorder, name, key) -> None:
    server = recorder(good(name))
    cache = {"shared": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": f"keys-{name}"}}
    with override_settings(CACHES={"default": cache["shared"], **cache}):
        assert result(AIProviderKey(at_url(name, server.url), share="shared")).status is Status.HEALTHY
        entries = dict(caches["shared"]._cache)
        assert len(entries) == 2
        assert_without(key, repr(entries))


def test_a_header_of_ones_own(result, recorder, monkeypatch) -> None:
    """A provider may want it in more than one place: that is its row's to say."""
    key = key_of(PROVIDERS["mistral"], RNG)
    monkeypatch.setenv("OWN_KEY", key)
    server = recorder(GOOD % (11, b'{"data":[]}'))
    headers = {"x-one": "{key}", "x-two": "token={key}"}
    request = Request("/models", headers)
    provider = Provider(
        name="own", variables=("OWN_KEY",), base_url=server.url, request=request, unknown_keys="refused"
    )
    assert result(AIProviderKey(provider)).status is Status.HEALTHY
    assert server.received[0].decode().count(key) == 2
