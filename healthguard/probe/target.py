"""The server and the request that a URL of the command line means."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_~")
_ADDRESS_CHARACTERS = _HOST_CHARACTERS | {":", "%"}
_UNQUOTED = "/?%:@!$&'()*+,;=~"
"""The characters of a path and a query that are sent as they are, besides letters, digits, ``_``, ``.`` and ``-``."""


class UsageError(Exception):
    """The command line is invalid."""


class Target:
    """A server, and the request for it. All texts of the request are ASCII without spaces and control characters.

    Args:
        address: the host and port, or the path of a Unix domain socket.
        path: the path and query.
        host: the Host header.
        shown: the URL without its query, which may contain a secret.
        server_name: for ``https``, the name that the certificate must be valid for; otherwise None.
    """

    __slots__ = ("address", "ca_file", "host", "path", "server_name", "shown")

    ca_file: str | None
    """The certificates that are trusted instead of those of the system."""

    def __init__(
        self,
        address: tuple[str, int] | str,
        path: str,
        host: str,
        *,
        shown: str,
        server_name: str | None = None,
    ) -> None:
        self.address = address
        self.path = path
        self.host = host
        self.shown = shown
        self.server_name = server_name
        self.ca_file = None


def parse_target(url: str, host_header: str | None = None, ca_file: str | None = None) -> Target:
    """Return the target of a command line.

    Args:
        url: the URL, as ``http://``, ``https://`` or ``unix:SOCKET:/PATH``. Its fragment is dropped.
        host_header: the Host header, if it is not that of the URL.
        ca_file: the path of the trusted certificates.

    Raises:
        UsageError: one of the values is invalid. The message does not contain it, because it may contain a secret.
    """
    if any(character <= " " or character == "\x7f" for character in url):
        raise UsageError("The URL contains a space or a control character. Write %20 for a space.")
    try:
        target = _unix_target(url[5:]) if url[:5].lower() == "unix:" else _network_target(url)
    except ValueError:
        # The text of the exception may contain a part of the URL.
        raise UsageError("The URL has an invalid host or port.") from None
    if ca_file is not None:
        if target.server_name is None:
            raise UsageError("--ca-file needs a URL that begins with https://.")
        target.ca_file = ca_file
    if host_header is not None:
        host, port = _parse_authority(host_header, "--host-header")
        target.host = _host_header(host, port)
        target.server_name = target.server_name and _name(host)
    return target


def _unix_target(rest: str) -> Target:
    """Return the target of a URL whose part after ``unix:`` is ``rest``.

    The first ``:/`` ends the path of the socket, so that this path may contain colons, and the URL's own path anything.
    """
    socket_path, separator, path = rest.partition(":/")
    if not socket_path or not separator:
        raise UsageError("The URL must contain a socket and a path, as in unix:/run/app.sock:/api/health/ready.")
    # "@" stands for the null byte with which the name of an abstract socket of Linux begins.
    address = f"\0{socket_path[1:]}" if socket_path.startswith("@") else socket_path
    path, _, query = f"/{path.partition('#')[0]}".partition("?")
    return Target(address, _request_target(path, query), "localhost", shown=f"unix:{socket_path}:{path}")


def _network_target(url: str) -> Target:
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS:
        raise UsageError("The URL must begin with http://, https:// or unix:.")
    host, port = _parse_authority(parts.netloc, "The URL")
    path = parts.path or "/"
    return Target(
        (host, port or _DEFAULT_PORTS[parts.scheme]),
        _request_target(path, parts.query),
        _host_header(host, port),
        shown=f"{parts.scheme}://{parts.netloc}{path}",
        server_name=_name(host) if parts.scheme == "https" else None,
    )


def _parse_authority(authority: str, source: str) -> tuple[str, int | None]:
    """Return the host, without brackets and in ASCII, and the port or None.

    Args:
        authority: a host, which may be followed by a port.
        source: the origin of the authority, with which a message begins.

    Raises:
        UsageError: the authority is invalid.
    """
    if "@" in authority:
        raise UsageError(
            f"{source} contains a user name or a password. Remove it: other users can see a command line. "
            "Set a token in the environment variable HEALTHGUARD_TOKEN."
        )
    try:
        parts = urlsplit(f"//{authority}")
        host, port = parts.hostname or "", parts.port
        if not host.isascii():
            host = host.encode("idna").decode("ascii")
    except ValueError:
        raise UsageError(f"{source} has an invalid host or port.") from None
    if authority.startswith("["):
        # An IPv6 address, which urlsplit() has validated. "%25" stands for the "%" before its zone.
        host = unquote(host)
        is_valid = authority.partition("]")[2][:1] in ("", ":") and _ADDRESS_CHARACTERS.issuperset(host)
    else:
        is_valid = bool(host) and _HOST_CHARACTERS.issuperset(host) and "[" not in authority
    if not is_valid or parts.netloc != authority or port == 0:
        raise UsageError(f"{source} has an invalid host or port.")
    return host, port


def _host_header(host: str, port: int | None) -> str:
    name = f"[{_name(host)}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"


def _name(host: str) -> str:
    """Return ``host`` without the zone of an IPv6 address, which has a meaning only on this machine (RFC 6874)."""
    return host.partition("%")[0]


def _request_target(path: str, query: str) -> str:
    """Return the path and query with all other characters percent-encoded.

    Bytes of the command line that are not UTF-8 are sent unchanged.
    """
    text = f"{path}?{query}" if query else path
    return quote(text, safe=_UNQUOTED, errors="surrogateescape")
