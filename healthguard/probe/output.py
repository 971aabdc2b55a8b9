"""The output of the command, which is safe to show on a terminal and does not contain the token."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

_MAX_LINE = 1000
"""The longest explanation (characters). kubelet and Docker keep 4096 bytes of the output."""
_LONGEST_ESCAPE = len(r"\U0001f600")


def write(stream: TextIO | None, text: str) -> None:
    """Write ``text``. A closed or full output does not change the exit code.

    The text is not buffered, because Python would try to write a buffer again at its exit, and fail.
    """
    if stream is None:
        # The file descriptor was closed when Python started.
        return
    data = text.encode(stream.encoding, "backslashreplace")
    try:
        while data:
            data = data[os.write(stream.fileno(), data) :]
    except OSError:
        pass


def line(text: str, token: str = "") -> str:
    """Return ``text`` as one line of a bounded length."""
    from healthguard.runtime.text import escaped

    return f"{escaped(_redacted(text, token), _MAX_LINE)}\n"


def lines(body: bytes, token: str) -> str:
    """Return a body as lines."""
    from healthguard.runtime.text import escaped

    text = _redacted(body.decode("utf-8", "backslashreplace"), token)
    return "".join(f"{escaped(part, len(part) * _LONGEST_ESCAPE)}\n" for part in text.splitlines())


def _redacted(text: str, token: str) -> str:
    """Return ``text`` without the token, which the server may have returned."""
    return text.replace(token, "[token]") if token else text
