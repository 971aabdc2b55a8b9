"""The responses that the command accepts as complete, and those that it rejects, from real servers."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
import trustme

from example_project.ports import free_port
from healthguard.probe.__main__ import main
from healthguard.probe.exchange import MAX_BODY, MAX_HEADERS, MAX_LINE
from tests.support.probe_command import OK, PATIENT, RawServer, response, run_probe

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

COMPLETE = {
    "Content-Length": (HEAD + b"Content-Length: 4\r\n\r\nbody", "body"),
    "Content-Length with more bytes": (HEAD + b"Content-Length: 4\r\n\r\nbody, and more", "body"),
    "equal Content-Lengths": (HEAD + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody", "body"),
    "list of equal Content-Lengths": (HEAD + b"Content-Length: 4, 4\r\n\r\nbody", "body"),
    "folded header": (HEAD + b"X-Note: one\r\n two\r\nContent-Length:\r\n\t4\r\n\r\nbody and more", "body"),
    "blanks around a value": (HEAD + b"content-length : \t4 \t\r\n\r\nbody and more", "body"),
    "until close": (HEAD + b"\r\nbody", "body"),
    "until close, empty": (HEAD + b"\r\n", ""),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\nbody", "body"),
    "no reason": (b"HTTP/1.1 200\r\n\r\nbody", "body"),
    "empty reason": (b"HTTP/1.1 200 \r\n\r\nbody", "body"),
    "reason in Latin-1": (b"HTTP/1.1 200 Gr\xfc\xdfe\r\n\r\nbody", "body"),
    "line feeds only": (b"HTTP/1.1 200 OK\nContent-Length: 4\n\nbody and more", "body"),
    "interim responses": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + OK, None),
    "chunks": (CHUNKED + b"2\r\nbo\r\n02;name=value\r\ndy\r\n0\r\n\r\nmore", "body"),
    "chunks with trailers": (CHUNKED + b"4\r\nbody\r\n000\r\nX-One: 1\r\nX-Two: 2\r\n\r\n", "body"),
    "hexadecimal chunk size": (CHUNKED + b"1A\r\n" + b"x" * 26 + b"\r\n0\r\n\r\n", "x" * 26),
    "chunks despite a Content-Length": (
        HEAD + b"Content-Length: 1\r\nTransfer-Encoding: Chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        "body",
    ),
    "another coding before the chunks": (
        HEAD + b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        "body",
    ),
    "another coding only": (HEAD + b"Transfer-Encoding: x\r\nContent-Length: 1\r\n\r\nbody", "body"),
    "many headers": (HEAD + b"X: y\r\n" * (MAX_HEADERS - 1) + b"\r\nbody", "body"),
    "long header": (HEAD + b"X: " + b"y" * (MAX_LINE - 10) + b"\r\n\r\nbody", "body"),
}
INCOMPLETE = {
    "nothing": (b"", "closed the connection without a response"),
    "half a status line": (b"HTTP/1.1 200", "closed the connection before the end of the response"),
    "half a head": (HEAD + b"X: y\r\n", "closed the connection before the end of the response"),
    "half a body": (HEAD + b"Content-Length: 4\r\n\r\nbod", "closed the connection before the end of the response"),
    "half a chunk": (CHUNKED + b"4\r\nbod", "closed the connection before the end of the response"),
    "no last chunk": (CHUNKED + b"4\r\nbody\r\n", "closed the connection before the end of the response"),
    "no end of the trailers": (CHUNKED + b"0\r\n", "closed the connection before the end of the response"),
    "only an interim response": (b"HTTP/1.1 100 Continue\r\n\r\n", "closed the connection before the end"),
    "HTTP/0.9": (b"body\n", "sent something else than an HTTP/1.1 response"),
    "HTTP/2": (b"HTTP/2 200 OK\r\n\r\n", "sent something else than an HTTP/1.1 response"),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", "sent something else than an HTTP/1.1 response"),
    "TLS alert": (b"\x15\x03\x01\x00\x02\x02\x46\n", "sent something else than an HTTP/1.1 response"),
    "ICY": (b"ICY 200 OK\r\n\r\n", "sent something else than an HTTP/1.1 response"),
    "empty line first": (b"\r\n" + OK, "sent something else than an HTTP/1.1 response"),
    "short code": (b"HTTP/1.1 20 OK\r\n\r\n", "sent something else than an HTTP/1.1 response"),
    "long code": (b"HTTP/1.1 2000 OK\r\n\r\n", "sent something else than an HTTP/1.1 response"),
    "signed code": (b"HTTP/1.1 +20 OK\r\n\r\n", "sent something else than an HTTP/1.1 response"),
    "code without digits": (b"HTTP/1.1 \xb2\xb2\xb2 OK\r\n\r\n", "sent something else than an HTTP/1.1 response"),
    "header without a colon": (HEAD + b"nonsense\r\n\r\n", "sent an invalid header line"),
    "header without a name": (HEAD + b": value\r\n\r\n", "sent an invalid header line"),
    "folded line first": (HEAD + b" folded\r\n\r\n", "sent an invalid header line"),
    "too many headers": (HEAD + b"X: y\r\n" * (MAX_HEADERS + 1), f"sent more than {MAX_HEADERS} header lines"),
    "too long a line": (HEAD + b"X: " + b"y" * MAX_LINE + b"\r\n\r\n", f"sent a line of more than {MAX_LINE} bytes"),
    "different Content-Lengths": (HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody", "invalid Content-Leng"),
    "negative Content-Length": (HEAD + b"Content-Length: -1\r\n\r\nbody", "sent an invalid Content-Length"),
    "Content-Length in words": (HEAD + b"Content-Length: four\r\n\r\nbody", "sent an invalid Content-Length"),
    "empty Content-Length": (HEAD + b"Content-Length:\r\n\r\nbody", "sent an invalid Content-Length"),
    "superscript Content-Length": (HEAD + b"Content-Length: \xb2\r\n\r\nbody", "sent an invalid Content-Length"),
    "endless Content-Length": (
        HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        "sent an invalid Content-Length",
    ),
    "chunk size with a sign": (CHUNKED + b"+4\r\nbody\r\n0\r\n\r\n", "sent an invalid chunk size"),
    "chunk size with a prefix": (CHUNKED + b"0x4\r\nbody\r\n0\r\n\r\n", "sent an invalid chunk size"),
    "chunk size with a separator": (CHUNKED + b"0_4\r\nbody\r\n0\r\n\r\n", "sent an invalid chunk size"),
    "empty chunk size": (CHUNKED + b"\r\nbody\r\n0\r\n\r\n", "sent an invalid chunk size"),
    "endless chunk size": (CHUNKED + b"0" * 5000 + b"\r\n\r\n", "sent an invalid chunk size"),
    "chunk longer than its size": (CHUNKED + b"2\r\nbody\r\n0\r\n\r\n", "sent a chunk that is longer than its size"),
}


@pytest.fixture(autouse=True)
def without_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send no token of the user who runs the tests."""
    monkeypatch.delenv("HEALTHGUARD_TOKEN", raising=False)


@pytest.mark.parametrize(("answer", "body"), COMPLETE.values(), ids=COMPLETE)
def test_complete_response_is_accepted(answer: bytes, body: str | None, capfd: pytest.CaptureFixture[str]) -> None:
    with RawServer(answer) as server:
        code = main([server.url(), "--verbose", *PATIENT])
    expected = '{"status": "healthy"}' if body is None else body
    assert (code, *capfd.readouterr()) == (0, f"{expected}\n" if expected else "", "")


@pytest.mark.parametrize(("answer", "reason"), INCOMPLETE.values(), ids=INCOMPLETE)
def test_incomplete_or_invalid_response_is_unhealthy(
    answer: bytes, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with RawServer(answer) as server:
        code = main([server.url(), "--verbose", *PATIENT])
    output, errors = capfd.readouterr()
    assert (code, output) == (1, "")
    assert errors.startswith(f"{server.url()}: the server ")
    assert reason in errors


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"\r\n",
        HEAD + f"Content-Length: {10 * MAX_BODY}\r\n\r\n".encode(),
        CHUNKED + f"{10 * MAX_BODY:x}\r\n".encode(),
    ],
    ids=["until close", "Content-Length", "chunk"],
)
def test_rest_of_a_large_body_is_not_read(head: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    """A body may be endless. The status code decides."""

    def flood(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(b"x" * 65536)

    with RawServer(flood) as server:
        code = main([server.url(), "--verbose", *PATIENT])
    output, errors = capfd.readouterr()
    assert (code, errors) == (0, "")
    assert output == "x" * MAX_BODY + "\n"


def test_response_without_a_body_does_not_wait_for_one(capfd: pytest.CaptureFixture[str]) -> None:
    def keep_open(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        connection.recv(1)

    with RawServer(keep_open) as server:
        code = main([server.url(), *PATIENT])
    assert code == 1
    assert "returned 204" in capfd.readouterr().err


def test_reset_connection_is_unhealthy(capfd: pytest.CaptureFixture[str]) -> None:
    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    with RawServer(reset) as server:
        code = main([server.url(), *PATIENT])
    assert code == 1
    assert "the connection broke before the end of the response (Connection reset by peer)" in capfd.readouterr().err


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 on this machine")
def test_ipv6_address_is_requested(capfd: pytest.CaptureFixture[str]) -> None:
    with RawServer(OK, family=socket.AF_INET6) as server:
        assert main([server.url(host="[::1]"), *PATIENT]) == 0
    assert f"\r\nHost: [::1]:{server.port}\r\n".encode() in server.requests[0]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("position", [0, 1, 2])
def test_all_addresses_of_a_host_are_tried(position: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """``localhost`` often stands for ``::1`` and ``127.0.0.1``, and the server listens on one of them."""
    with RawServer(OK) as server:
        addresses = [("127.0.0.1", free_port()), ("127.0.0.1", free_port())]
        addresses.insert(position, ("127.0.0.1", server.port))
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert main(["http://three-addresses.invalid/", *PATIENT]) == 0


@pytest.mark.parametrize("name", ["app.sock", "my:app.sock", "@abstract"])
def test_unix_socket_is_requested(public_folder: Path, name: str) -> None:
    path = f"\0healthguard-{public_folder.name}" if name.startswith("@") else str(public_folder / name)
    with RawServer(OK, path) as server:
        url = f"unix:{path.replace(chr(0), '@')}:/api/health?next=http://example.com:/#fragment"
        assert main([url, *PATIENT]) == 0
    assert server.requests[0].startswith(b"GET /api/health?next=http://example.com:/ HTTP/1.1\r\nHost: localhost\r\n")


class Certificates:
    """A certificate for ``localhost`` and ``shop.example.com``, and its authority."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        authority.cert_pem.write_to_path(self.ca_file)
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "shop.example.com").configure_cert(self.server)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def test_trusted_certificate_is_accepted(certificates: Certificates) -> None:
    with RawServer(OK, tls=certificates.server) as server:
        url = server.url(scheme="https", host="localhost")
        done = run_probe(url, "--ca-file", certificates.ca_file, "--verbose", *PATIENT)
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"status": "healthy"}\n', "")


def test_host_header_is_the_name_that_the_certificate_must_have(certificates: Certificates) -> None:
    with RawServer(OK, tls=certificates.server) as server:
        trusting = [server.url(scheme="https"), "--ca-file", certificates.ca_file, *PATIENT]
        assert main(trusting) == 1
        assert main([*trusting, "--host-header", "other.example.com"]) == 1
        assert main([*trusting, "--host-header", "shop.example.com:443"]) == 0
    assert b"\r\nHost: shop.example.com:443\r\n" in server.requests[0]


@pytest.mark.parametrize(
    ("host", "options", "reason"),
    [
        ("localhost", [], "the certificate is not valid (unable to get local issuer certificate). Name its authority"),
        ("127.0.0.1", ["--ca-file", "{ca}"], "the certificate is not valid (IP address mismatch"),
        ("localhost", ["--ca-file", "/nonexistent/ca.pem"], "certificates of --ca-file cannot be used (No such file"),
        ("localhost", ["--ca-file", __file__], "The certificates of --ca-file cannot be used ("),
    ],
    ids=["unknown authority", "other name", "no file", "no certificate"],
)
def test_invalid_certificate_is_unhealthy(
    certificates: Certificates, host: str, options: list[str], reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with RawServer(OK, tls=certificates.server) as server:
        given = [option.format(ca=certificates.ca_file) for option in options]
        code = main([server.url(scheme="https", host=host), *given, *PATIENT])
    assert code == 1
    assert reason in capfd.readouterr().err
    assert server.requests == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_wrong_scheme_is_unhealthy(certificates: Certificates, scheme: str, capfd: pytest.CaptureFixture[str]) -> None:
    with RawServer(OK, tls=certificates.server if scheme == "http" else None, reads=False) as server:
        code = main([server.url(scheme=scheme), *PATIENT])
    assert code == 1
    expected = "Check the scheme" if scheme == "http" else "Check that the server speaks https there."
    assert expected in capfd.readouterr().err


def test_proxies_of_the_environment_are_not_used() -> None:
    proxies = dict.fromkeys(["HTTP_PROXY", "http_proxy", "ALL_PROXY"], "http://127.0.0.1:1")
    with RawServer(OK) as server:
        assert run_probe(server.url(), *PATIENT, environment=proxies).returncode == 0


def test_control_characters_of_the_response_are_escaped(capfd: pytest.CaptureFixture[str]) -> None:
    """They could rewrite the screen of a terminal, or forge a line of a log."""
    hostile = '{"status": "x", "services": {"a\\u001b[2J\\nb": "un\\rhealthy"}}'
    with RawServer(response(503, f"{hostile}\n\x1b]0;title\x07\u202e")) as server:
        assert main([server.url(), "--verbose", *PATIENT]) == 1
    first = capfd.readouterr()
    with RawServer(response(503, hostile)) as server:
        assert main([server.url(), *PATIENT]) == 1
    second = capfd.readouterr()
    assert first.out == f"{hostile}\n\\x1b]0;title\\x07\\u202e\n"
    assert "a\\x1b[2J\\nb is un\\rhealthy" in second.err
    assert second.err.count("\n") == 1
