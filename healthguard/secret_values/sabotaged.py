"""Values that sabotages use in place of real ones."""

from __future__ import annotations

import string


def cut_short(value: str, size: int) -> str:
    """Return the first ``size`` bytes of a value, which may end in the middle of a character."""
    return value.encode("utf-8", "surrogateescape")[:size].decode("utf-8", "surrogateescape")


def with_another_end(key: str) -> str:
    """Return a key whose last character differs, also after the key was decoded.

    In base64, the last character may contribute only its two highest bits. In hexadecimal digits, case does not matter.
    """
    if not key:
        return key
    last = key[-1]
    if last in string.digits:
        other = "a"
    elif last in string.ascii_letters and last not in "wxyz":
        other = "7"
    else:
        other = "A"
    return key[:-1] + other
