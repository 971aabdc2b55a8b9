"""Where a call goes, and what of that may be shown."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

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

        try:
            if not isinstance(text, str):
                raise TypeError
            url = httpx.URL(text)
            shown = str(url.copy_with(userinfo=b"", query=None, fragment=None))
        except (httpx.InvalidURL, TypeError, ValueError):
            raise ValueError("not a URL") from None
        is_path = not url.scheme and not url.netloc and text.startswith("/")
        is_url = url.scheme in ("http", "https") and _HOST.fullmatch(url.host) is not None
        if not is_path and not is_url:
            raise ValueError("neither a path nor an http or https URL")
        return cls(url, shown)
