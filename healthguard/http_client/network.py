"""A call over the network."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import logging
import socket
import urllib.request
from collections.abc import Iterator
from typing import TYPE_CHECKING

from healthguard.http_client.response import EndpointResponse, TransportError, read_limited_async

if TYPE_CHECKING:
    import ssl

    import httpx

_LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))


async def call_over_network(
    method: str,
    url: httpx.URL,
    headers: httpx.Headers,
    content: bytes | None,
    *,
    limit: float,
    trusted: ssl.SSLContext | None = None,
) -> EndpointResponse:
    """Call ``url`` and return the response.

    No single wait takes longer than ``limit`` (seconds); the caller limits the whole call. Proxies come from the
    environment, as with any client: HTTPS_PROXY, NO_PROXY. So do the certificates (SSL_CERT_FILE), unless the caller
    trusts others.

    Raises:
        TransportError: the call receives no response.
        TimeoutError: the call receives none within the limit.
    """
    import httpx

    auth = (url.username, url.password) if url.userinfo else None
    request = httpx.Request(method, url.copy_with(userinfo=b"", fragment=None), headers=headers, content=content)
    client = _client(limit, trusted)
    try:
        with _unlogged():
            async with client:
                response = await client.send(request, stream=True, auth=auth, follow_redirects=False)
                try:
                    # Read the raw bytes: decompressed, a few of them can exceed the limit in a single chunk.
                    content = await read_limited_async(response.aiter_raw())
                    return EndpointResponse(response.status_code, content, response.headers)
                finally:
                    await response.aclose()
    except httpx.TimeoutException:
        raise TimeoutError from None
    except Exception as error:
        # Catch every exception: an invalid port, for example, raises an exception group.
        # Show only the class: the text of an h11 error, for example, can contain a whole header line.
        raise TransportError(_reason(error) + _proxy_note(url)) from None


def _client(limit: float, trusted: ssl.SSLContext | None) -> httpx.AsyncClient:
    """Return a client that is configured by the environment.

    Raises:
        TransportError: the environment has invalid settings for a client.
    """
    import httpx

    try:
        trusted = trusted or certificates()
    except OSError:
        raise TransportError("the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read") from None
    try:
        return httpx.AsyncClient(verify=trusted, timeout=limit)
    except ImportError:
        raise TransportError("the SOCKS proxy set in the environment requires httpx[socks]") from None
    except (httpx.InvalidURL, ValueError):
        raise TransportError("HTTP_PROXY, HTTPS_PROXY, ALL_PROXY or NO_PROXY is invalid") from None


def _proxy_note(url: httpx.URL) -> str:
    """Return the text to append to a reason if a proxy may be at fault, or an empty string."""
    has_proxy = not {url.scheme, "all"}.isdisjoint(urllib.request.getproxies())
    is_bypassed = has_proxy and urllib.request.proxy_bypass(url.host)
    return ", via the environment's proxy" if has_proxy and not is_bypassed else ""


def _reason(error: BaseException) -> str:
    """Return the class name of the system error that caused ``error``.

    ConnectionRefusedError, for example, is more specific than ConnectError.
    """
    name = type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME:
            return "no such host name"
        if isinstance(cause, OSError):
            name = type(cause).__name__
        cause = cause.__cause__ or cause.__context__
    return name


@functools.cache
def certificates() -> ssl.SSLContext:
    """Return the trusted certificates, including those of SSL_CERT_FILE.

    They are read once, because reading them takes longer than many a response.
    """
    import httpx

    return httpx.create_ssl_context()


_is_unlogged: contextvars.ContextVar[bool] = contextvars.ContextVar("healthguard_is_unlogged", default=False)


def _is_logged(record: logging.LogRecord) -> bool:
    return not _is_unlogged.get()


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """Suppress the libraries' log records of this call, which contain secrets.

    httpx logs URLs with their queries, httpcore logs the headers of responses.
    """
    for name in _LOGGERS:
        # The filter passes the records of other calls. Adding it again has no effect.
        logging.getLogger(name).addFilter(_is_logged)
    token = _is_unlogged.set(True)
    try:
        yield
    finally:
        _is_unlogged.reset(token)
