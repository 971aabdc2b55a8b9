"""Where a call goes, and what of that may be shown."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from django.utils.functional import Promise

from healthguard.declared import shown_path

if TYPE_CHECKING:
    import httpx

_MAX_PORT = 65535
_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]+(%\w+)?")


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """A path of this project's own application, or an http or https URL.

    Args:
        url: the whole of it. User, password and query may be secrets.
        shown: it without those.
    """

    url: httpx.URL = dataclasses.field(repr=False)
    shown: str

    @property
    def is_inside(self) -> bool:
        """Whether it is a path of this project's own application."""
        return not self.url.scheme

    @classmethod
    def of(cls, text: object) -> Target:
        """The target that ``text`` names.

        Raises:
            ValueError: it names none. Nothing of it is in the text of the error.
        """
        import httpx

        text = _plain(text)
        try:
            if not isinstance(text, str):
                raise TypeError
            url = httpx.URL(text)
            shown = _shown(url)
            is_port = url.port is None or 0 < url.port <= _MAX_PORT
        except (httpx.InvalidURL, TypeError, ValueError):
            raise ValueError("not a URL") from None
        is_path = not url.scheme and not url.netloc and text.startswith("/") and not text.startswith("//")
        is_url = url.scheme in ("http", "https") and _HOST.fullmatch(url.host) is not None and is_port
        if not is_path and not is_url:
            raise ValueError("neither a path nor an http or https URL")
        return cls(url, shown)

    @classmethod
    def over_network(cls, base_url: object, path: str) -> Target:
        """The target at ``path``, which may have a query, below an http or https URL.

        Raises:
            ValueError: ``base_url`` is none, or ``path`` is no path. Nothing of it is in the text of the error.
        """
        import httpx

        base = cls.of(base_url)
        if base.is_inside:
            raise ValueError("not an http or https URL")
        # As it is written: what is escaped in it stays so.
        raw = base.url.raw_path.partition(b"?")[0].rstrip(b"/")
        try:
            url = base.url.copy_with(raw_path=raw + path.encode() or b"/", fragment=None)
        except httpx.InvalidURL:
            raise ValueError("no path of a URL") from None
        return cls(url, _shown(url))


def _shown(url: httpx.URL) -> str:
    """Return a URL without what may be secret: user, password, query, and long random segments of its path."""
    plain = str(url.copy_with(userinfo=b"", query=None, fragment=None, path="/"))
    return plain.removesuffix("/") + shown_path(url.path)


def _plain(text: object) -> object:
    """``text``, which may be lazy, as reverse_lazy() gives it to settings.

    Raises:
        ValueError: it cannot be had: there is no such URL pattern.
    """
    if not isinstance(text, Promise):
        return text
    try:
        return str(text)
    except Exception:
        raise ValueError("not a URL") from None
