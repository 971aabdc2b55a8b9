"""The destination of a call, and the part of it that may be shown."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from django.utils.functional import Promise

from healthguard.secret_values.showable import shown_path

if TYPE_CHECKING:
    import httpx

_MAX_PORT = 65535
_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]+(%\w+)?")


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """A path of this project's own application, or an http or https URL.

    Args:
        url: the complete path or URL. User, password and query may be secrets.
        shown: the same without the parts that may be secrets.
    """

    url: httpx.URL = dataclasses.field(repr=False)
    shown: str

    @property
    def is_in_process(self) -> bool:
        """True if the target is a path of this project's own application."""
        return not self.url.scheme

    @classmethod
    def of(cls, text: object) -> Target:
        """Return the target that ``text`` names.

        Raises:
            ValueError: ``text`` is neither a path nor an http or https URL. The error does not contain any part of it.
        """
        import httpx

        text = _plain(text)
        try:
            if not isinstance(text, str):
                raise TypeError
            url = httpx.URL(text)
            shown = _shown(url)
            has_valid_port = url.port is None or 0 < url.port <= _MAX_PORT
        except (httpx.InvalidURL, TypeError, ValueError):
            raise ValueError("not a URL") from None
        is_path = not url.scheme and not url.netloc and text.startswith("/") and not text.startswith("//")
        is_url = url.scheme in ("http", "https") and _HOST.fullmatch(url.host) is not None and has_valid_port
        if not is_path and not is_url:
            raise ValueError("neither a path nor an http or https URL")
        return cls(url, shown)

    @classmethod
    def over_network(cls, base_url: object, path: str) -> Target:
        """Return the target at ``path``, which may have a query, below an http or https URL.

        Raises:
            ValueError: ``base_url`` is not an http or https URL, or ``path`` is not a path. The error does not contain
                any part of them.
        """
        import httpx

        base = cls.of(base_url)
        if base.is_in_process:
            raise ValueError("not an http or https URL")
        # Use the raw path, so that escaped characters stay escaped.
        raw = base.url.raw_path.partition(b"?")[0].rstrip(b"/")
        try:
            url = base.url.copy_with(raw_path=raw + path.encode() or b"/", fragment=None)
        except httpx.InvalidURL:
            raise ValueError("not a path of a URL") from None
        return cls(url, _shown(url))


def _shown(url: httpx.URL) -> str:
    """Return a URL without what may be secret: user, password, query, and long random segments of its path."""
    plain = str(url.copy_with(userinfo=b"", query=None, fragment=None, path="/"))
    return plain.removesuffix("/") + shown_path(url.path)


def _plain(text: object) -> object:
    """Return ``text`` itself, or the string of a lazy text such as settings get from reverse_lazy().

    Raises:
        ValueError: a lazy text cannot be evaluated because its URL pattern does not exist.
    """
    if not isinstance(text, Promise):
        return text
    try:
        return str(text)
    except Exception:
        raise ValueError("not a URL") from None
