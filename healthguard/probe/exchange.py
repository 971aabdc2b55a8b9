"""One GET request over HTTP/1.1 on a socket, and its response, which is read as RFC 9112 describes.

``http.client`` is not used: importing it takes longer than the rest of the command, and imports ``ssl`` even for
``http``. Redirects, proxies and compression are not supported.
"""

from __future__ import annotations

import enum
import socket

from healthguard.probe.target import Target
from healthguard.runtime.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    import io
    import ssl
    from collections.abc import Callable

MAX_BODY = 1_000_000
"""The largest part of a body that is read (bytes). The rest is not read."""
MAX_LINE = 65_536
"""The longest line of a response (bytes)."""
MAX_HEADERS = 200
"""The largest number of header lines."""

_HEX_DIGITS = frozenset(b"0123456789abcdefABCDEF")
_WITHOUT_BODY = (101, 204, 304)
_INCOMPLETE = "closed the connection before the end of the response"


class MalformedResponseError(Exception):
    """The server did not send a complete HTTP response. The text continues a sentence: "The server …"."""


class Stage(enum.Enum):
    """A step of an exchange."""

    CERTIFICATES = enum.auto()
    """The trusted certificates are read."""
    NAME = enum.auto()
    """The host name is resolved."""
    CONNECTION = enum.auto()
    """The connection is opened."""
    HANDSHAKE = enum.auto()
    """The TLS handshake is in flight."""
    RESPONSE = enum.auto()
    """The request is sent, and the response has not begun."""
    BODY = enum.auto()
    """The body is read."""


class Response:
    """A response.

    Args:
        status: the status code.
        headers: the header values by lower-case name.
        body: the body, at most MAX_BODY bytes of it.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


def get(target: Target, token: str, report: Callable[[Stage], None]) -> Response:
    """Send the request and return the response. The caller limits the time.

    Args:
        target: the server and the request.
        token: the bearer token; empty to send none.
        report: called at the beginning of each stage.

    Raises:
        OSError: the server cannot be reached, or its certificate is not valid.
        MalformedResponseError: the server did not send a complete response.
    """
    request = _request(target, token)
    context = _tls_context(target, report) if target.server_name is not None else None
    with _connect(target, report) as connection:
        if context is None:
            return _exchange(connection, request, report)
        report(Stage.HANDSHAKE)
        with context.wrap_socket(connection, server_hostname=target.server_name) as encrypted:
            return _exchange(encrypted, request, report)


def _request(target: Target, token: str) -> bytes:
    lines = [
        f"GET {target.path} HTTP/1.1",
        f"Host: {target.host}",
        f"User-Agent: healthguard-probe/{__version__}",
        "Accept: */*",
        "Accept-Encoding: identity",
        "Connection: close",
    ]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _tls_context(target: Target, report: Callable[[Stage], None]) -> ssl.SSLContext:
    report(Stage.CERTIFICATES)
    # Imported only for https, because it is slow to import.
    import ssl

    context = ssl.create_default_context(cafile=target.ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _connect(target: Target, report: Callable[[Stage], None]) -> socket.socket:
    """Return a connection to the first address of the host that accepts one."""
    if isinstance(target.address, str):
        report(Stage.CONNECTION)
        return _open(socket.AF_UNIX, target.address)
    host, port = target.address
    report(Stage.NAME)
    # With a str, getaddrinfo() imports the slow codec for international names.
    addresses = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    report(Stage.CONNECTION)
    for family, _, _, _, address in addresses[:-1]:
        try:
            return _open(family, address)
        except OSError:
            continue
    family, _, _, _, address = addresses[-1]
    return _open(family, address)


def _open(family: int, address: object) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.connect(address)  # type: ignore[arg-type]
    except OSError:
        connection.close()
        raise
    return connection


def _exchange(connection: socket.socket, request: bytes, report: Callable[[Stage], None]) -> Response:
    report(Stage.RESPONSE)
    connection.sendall(request)
    with connection.makefile("rb") as stream:
        if not stream.peek(1):
            raise MalformedResponseError("closed the connection without a response")
        status, headers = _read_head(stream)
        while 100 <= status < 200 and status != 101:
            status, headers = _read_head(stream)
        report(Stage.BODY)
        return Response(status, headers, _read_body(stream, status, headers))


def _read_head(stream: io.BufferedReader) -> tuple[int, dict[str, str]]:
    """Read the status line and the headers (RFC 9112, sections 4 and 5)."""
    version, _, rest = _read_line(stream).partition(b" ")
    code, _, _ = rest.partition(b" ")
    if not (version.startswith(b"HTTP/1.") and len(version) == 8 and len(code) == 3 and code.isdigit()):
        raise MalformedResponseError("sent something else than an HTTP/1.1 response")
    headers: dict[str, str] = {}
    name = ""
    for _ in range(MAX_HEADERS):
        line = _read_line(stream).decode("latin-1")
        if not line:
            return int(code), headers
        if name and line[0] in " \t":
            # The line continues the value of the line before it.
            headers[name] = f"{headers[name]} {line.strip()}".strip()
            continue
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if not name or not colon:
            raise MalformedResponseError("sent an invalid header line")
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    raise MalformedResponseError(f"sent more than {MAX_HEADERS} header lines")


def _read_body(stream: io.BufferedReader, status: int, headers: dict[str, str]) -> bytes:
    """Read the body, whose length is found as in RFC 9112, section 6.3."""
    if status in _WITHOUT_BODY:
        return b""
    coding = headers.get("transfer-encoding", "")
    if coding.rpartition(",")[2].strip().lower() == "chunked":
        return _read_chunks(stream)
    if coding or "content-length" not in headers:
        return stream.read(MAX_BODY)
    lengths = {length.strip() for length in headers["content-length"].split(",")}
    length = lengths.pop()
    if lengths or not (length.isascii() and length.isdigit() and len(length) < 20):
        raise MalformedResponseError("sent an invalid Content-Length")
    return _read_exactly(stream, min(int(length), MAX_BODY))


def _read_chunks(stream: io.BufferedReader) -> bytes:
    """Read a chunked body (RFC 9112, section 7.1)."""
    body = bytearray()
    while size := _chunk_size(_read_line(stream)):
        body += _read_exactly(stream, min(size, MAX_BODY - len(body)))
        if len(body) == MAX_BODY:
            return bytes(body)
        if _read_line(stream):
            raise MalformedResponseError("sent a chunk that is longer than its size")
    while _read_line(stream):
        pass  # A trailer field. None of them is used.
    return bytes(body)


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not (0 < len(digits) <= 16 and _HEX_DIGITS.issuperset(digits)):
        raise MalformedResponseError("sent an invalid chunk size")
    return int(digits, 16)


def _read_line(stream: io.BufferedReader) -> bytes:
    """Read a line, and return it without the line break."""
    line = stream.readline(MAX_LINE + 1)
    if not line.endswith(b"\n"):
        raise MalformedResponseError(
            f"sent a line of more than {MAX_LINE} bytes" if len(line) > MAX_LINE else _INCOMPLETE
        )
    return line[:-1].removesuffix(b"\r")


def _read_exactly(stream: io.BufferedReader, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise MalformedResponseError(_INCOMPLETE)
    return data
