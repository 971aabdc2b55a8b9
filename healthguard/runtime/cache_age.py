"""The limits of the age of cached results: those of a service, and those that a check caches from an earlier run."""

from __future__ import annotations

import contextlib
import contextvars
import math
from collections.abc import Iterator

TTL_JITTER = 0.1
"""The largest share by which the ttl of a check is shortened. The jitter of each service is random."""
MAX_TTL = 10 * 365 * 86400.0
"""The longest valid ttl (seconds)."""
_limit: contextvars.ContextVar[float] = contextvars.ContextVar("healthguard_cache_age_limit", default=math.inf)


def is_valid_ttl(value: object) -> bool:
    """Return True if ``value`` is a number of seconds for which a result may be cached."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_TTL


@contextlib.contextmanager
def max_cache_age(seconds: float) -> Iterator[None]:
    """Limit the age of cached results for the code in the ``with`` block (seconds). With 0 it uses none."""
    token = _limit.set(seconds)
    try:
        yield
    finally:
        _limit.reset(token)


def cache_age_limit() -> float:
    """Return the largest age at which a cached result may be used (seconds); infinity if no limit is set."""
    return _limit.get()
