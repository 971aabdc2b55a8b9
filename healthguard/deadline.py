"""How much time a run has left, so that what waits on a network can give up first and say why."""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Iterator

_ends: contextvars.ContextVar[float | None] = contextvars.ContextVar("healthguard_deadline", default=None)

REPORTING_SHARE = 0.2
"""The part of the time left that is kept for telling what went wrong."""


@contextlib.contextmanager
def ending_in(seconds: float) -> Iterator[None]:
    """Whatever runs inside should be done in ``seconds``."""
    token = _ends.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends.reset(token)


def time_left(default: float) -> float:
    """Seconds left; ``default`` where no deadline was set. Never negative."""
    ends = _ends.get()
    return default if ends is None else max(0.0, ends - time.monotonic())


def wait_limit(default: float) -> float:
    """How long one wait may take (seconds), so that its failure can still be told before the deadline."""
    return time_left(default) * (1 - REPORTING_SHARE)
