"""How old an answer may be: a service's, and what a check remembers of an earlier run so as not to look again."""

from __future__ import annotations

import contextlib
import contextvars
import math
from collections.abc import Iterator

SPREAD = 0.1
"""How much shorter at most a ttl becomes that a check asks for (a share): each service's by chance."""
MAX_TTL = 10 * 365 * 86400.0
"""How long an answer may be held (seconds)."""
_max_age: contextvars.ContextVar[float] = contextvars.ContextVar("healthguard_max_age", default=math.inf)


def is_ttl(given: object) -> bool:
    """Whether ``given`` is a time for which an answer may be held (seconds)."""
    return isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given <= MAX_TTL


@contextlib.contextmanager
def going_by(seconds: float) -> Iterator[None]:
    """Whatever runs inside may go by what is no older than ``seconds``; by nothing where they are 0."""
    token = _max_age.set(seconds)
    try:
        yield
    finally:
        _max_age.reset(token)


def max_age() -> float:
    """How old it may be at most (seconds); without an end where nobody has said."""
    return _max_age.get()
