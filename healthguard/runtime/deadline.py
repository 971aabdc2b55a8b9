"""The deadline of a run. Network waits use it to end early enough that their failure can still be reported."""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Iterator

_deadline: contextvars.ContextVar[float | None] = contextvars.ContextVar("healthguard_deadline", default=None)

REPORTING_SHARE = 0.2
"""The share of the remaining time that is reserved for reporting a failure."""


@contextlib.contextmanager
def deadline_after(seconds: float) -> Iterator[None]:
    """Set a deadline for the code in the ``with`` block, ``seconds`` from now."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def time_left(default: float) -> float:
    """Return the time until the deadline (seconds, never negative); ``default`` if no deadline is set."""
    deadline = _deadline.get()
    return default if deadline is None else max(0.0, deadline - time.monotonic())


def wait_limit(default: float) -> float:
    """Return the longest time that one wait may take (seconds).

    It ends before the deadline, so that the failure can still be reported.
    """
    return time_left(default) * (1 - REPORTING_SHARE)
