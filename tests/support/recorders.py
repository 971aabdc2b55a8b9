"""Servers that record every byte that they receive, and the places in which they and reports may contain a key."""

from __future__ import annotations

import base64
import dataclasses
import json
import socket
import threading
from collections.abc import Callable
from urllib.parse import quote, urlsplit

from healthguard.providers import PROVIDERS, Provider, Verdict
from tests.support.provider_answers import ANSWERS

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
"""A successful response, to be filled with the length of the body and the body."""


class Recorder:
    """A server that records every byte that it receives, sends the same response to each connection, and closes it."""

    def __init__(self, response: bytes = b"") -> None:
        self.response = response
        self.received: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
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
                    # A TLS handshake has no end of headers: its first bytes are sufficient.
                    while b"\r\n\r\n" not in self.received[-1] and not self.received[-1].startswith(b"\x16"):
                        if not (chunk := connection.recv(65536)):
                            break
                        self.received[-1] += chunk
                    connection.sendall(self.response)
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(1)
                except OSError:
                    pass

    def stop(self) -> None:
        """Stop accepting connections."""
        # Closing the listener does not interrupt a thread that waits in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class Tunnel(Recorder):
    """A proxy that opens the requested tunnel, and records every byte that is sent into it."""

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
                back = threading.Thread(target=self._copy, args=(target, connection), daemon=True)
                back.start()
                while chunk := _receive(connection):
                    self.received[-1] += chunk
                    target.sendall(chunk)
                back.join(5)

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket) -> None:
        while chunk := _receive(source):
            sink.sendall(chunk)


StartRecorder = Callable[..., Recorder]
"""``start_recorder(response=b"", kind=Recorder)`` starts a server that is stopped after the test."""


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except OSError:
        return b""


def good_response(name: str) -> bytes:
    """Return the provider's response to a valid key."""
    content = json.dumps(next(answer.body for answer in ANSWERS[name] if answer.verdict is Verdict.VALID)).encode()
    return OK % (len(content), content)


def at_url(name: str, url: str) -> Provider:
    """Return the provider, moved to ``url`` and its own path there. No random key is sent to it."""
    provider = PROVIDERS[name]
    path = "" if name == "azure_openai" else urlsplit(provider.base_url).path
    return dataclasses.replace(provider, base_url=url + path, unknown_keys="refused")


def spellings_of(key: str) -> list[bytes]:
    """Return the key as it is, as a part of a URL, and within base64, which starts in three ways."""
    texts = [key, quote(key, safe=""), key[8:40]]
    # The first and the last characters contain bits of their neighbors.
    texts += [base64.b64encode((before + key).encode()).decode()[4:-4] for before in ("", "a", "ab")]
    return [text.encode() for text in texts]


def assert_without(key: str, *texts: object) -> None:
    """Assert that no text contains the key, in any spelling."""
    for text in texts:
        content = text if isinstance(text, bytes) else str(text).encode()
        for spelling in spellings_of(key):
            assert spelling not in content


def assert_received_as_configured(received: bytes, key: str) -> None:
    """Assert that one header contains the key, alone or after Bearer, and that nothing else does."""
    head = received.decode("latin-1")
    assert head.count(key) == 1
    (line,) = [line for line in head.split("\r\n") if key in line]
    assert line.partition(": ")[2] in {key, f"Bearer {key}"}
    assert_without(key, head.replace(key, ""))
