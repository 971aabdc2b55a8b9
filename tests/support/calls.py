"""The work of a function, as the number of functions that it calls. It does not depend on the speed of the machine."""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Callable, Collection
from typing import Any

ALL_CALLS = ("call", "c_call")
"""The events of functions in Python and of those in C."""


def count_calls(function: Callable[[], object], events: Collection[str] = ALL_CALLS) -> int:
    """Return the number of calls of functions that a function makes.

    Garbage is not collected meanwhile. Otherwise the finalizers of what earlier tests have left behind would count.

    Args:
        function: the function.
        events: the events of ``sys.setprofile`` that count.
    """
    count = 0

    def profile(frame: types.FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in events

    before = sys.getprofile()
    gc.collect()
    gc.disable()
    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(before)
        gc.enable()
    return count
