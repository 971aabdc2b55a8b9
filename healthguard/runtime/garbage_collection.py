"""The suspension of Python's garbage collection while a command builds many objects that all stay."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def suspended_collection() -> Iterator[None]:
    """Suspend the collection of cycles. To search 100,000 objects for cycles again and again takes a third of the time.

    Objects without cycles are released as usual.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
