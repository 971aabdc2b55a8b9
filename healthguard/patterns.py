"""Regular expressions that a declaration holds."""

from __future__ import annotations

import re
from typing import TypeGuard


def is_pattern(given: object) -> TypeGuard[str]:
    """Whether ``given`` is the text of a regular expression."""
    try:
        if not isinstance(given, str):
            raise TypeError
        re.compile(given)
    except (re.error, TypeError, RecursionError, OverflowError):
        return False
    return True
