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

from healthguard.calling.answer import Answer, NoAnswerError, acapped

if TYPE_CHECKING:
    import ssl

    import httpx

_LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))


async def call_over_network(
    method: str, url: httpx.URL, headers: httpx.Headers, content: bytes | None, limit: float
) -> Answer:
    """Call ``url``. No single wait in it takes longer than ``limit`` (seconds); the caller bounds all of it.

    Proxies and certificates are those of the environment, as for any client: HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE.

    Raises:
        NoAnswerError: there is no answer.
        TimeoutError: there is none in time.
    """
    import httpx

    auth = (url.username, url.password) if url.userinfo else None
    request = httpx.Request(method, url.copy_with(userinfo=b"", fragment=None), headers=headers, content=content)
    client = _client(limit)
    try:
        with _unlogged():
            async with client:
                response = await client.send(request, stream=True, auth=auth, follow_redirects=False)
                try:
                    # As it was sent: unfolded, a few bytes may become more than the cap in one chunk.
                    return Answer(response.status_code, await acapped(response.aiter_raw()), response.headers)
                finally:
                    await response.aclose()
    except httpx.TimeoutException:
        raise TimeoutError from None
    except Exception as error:
        # Whatever comes: a port that is none, for one, comes as a group of exceptions.
        # Only the class: the text of h11's errors, for one, can hold a whole header line.
        raise NoAnswerError(_reason(error) + _by_way(url)) from None


def _client(limit: float) -> httpx.AsyncClient:
    """A client as the environment wants it.

    Raises:
        NoAnswerError: there can be none.
    """
    import httpx

    try:
        trusted = certificates()
    except OSError:
        raise NoAnswerError("SSL_CERT_FILE or SSL_CERT_DIR names no certificates that can be read") from None
    try:
        return httpx.AsyncClient(verify=trusted, timeout=limit)
    except ImportError:
        raise NoAnswerError("the environment's SOCKS proxy needs httpx[socks]") from None
    except (httpx.InvalidURL, ValueError):
        raise NoAnswerError("HTTP_PROXY, HTTPS_PROXY, ALL_PROXY or NO_PROXY cannot be understood") from None


def _by_way(url: httpx.URL) -> str:
    """What to add where a proxy may be at fault."""
    has_proxy = not {url.scheme, "all"}.isdisjoint(urllib.request.getproxies())
    is_bypassed = has_proxy and urllib.request.proxy_bypass(url.host)
    return ", by way of the environment's proxy" if has_proxy and not is_bypassed else ""


def _reason(error: BaseException) -> str:
    """The class of the system's error that lies below: ConnectionRefusedError says more than ConnectError."""
    name = type(error).__name__
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, socket.gaierror) and below.errno == socket.EAI_NONAME:
            return "no such host name"
        if isinstance(below, OSError):
            name = type(below).__name__
        below = below.__cause__ or below.__context__
    return name


@functools.cache
def certificates() -> ssl.SSLContext:
    """What certificates are trusted, those of SSL_CERT_FILE too; read once, for it takes longer than many an answer."""
    import httpx

    return httpx.create_ssl_context()


_is_unlogged: contextvars.ContextVar[bool] = contextvars.ContextVar("healthguard_is_unlogged", default=False)


def _is_logged(record: logging.LogRecord) -> bool:
    return not _is_unlogged.get()


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """Let the libraries log nothing of this call: httpx logs URLs with their queries, httpcore the answer's headers."""
    for name in _LOGGERS:
        # It lets through what others log, and is added once however often this is said.
        logging.getLogger(name).addFilter(_is_logged)
    token = _is_unlogged.set(True)
    try:
        yield
    finally:
        _is_unlogged.reset(token)
