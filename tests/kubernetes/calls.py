"""The work of a function, as the number of functions that it calls. It does not depend on the speed of the machine."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any


def count_calls(function: Callable[[], object]) -> int:
    """Return the number of calls of functions that a function makes, of those in Python and in C."""
    count = 0

    def profile(frame: types.FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count
