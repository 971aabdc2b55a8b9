"""Whether a run is to look anew, or may go by what a check remembers from an earlier one."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

_is_anew: contextvars.ContextVar[bool] = contextvars.ContextVar("healthguard_looks_anew", default=False)


@contextlib.contextmanager
def looking_anew(is_anew: bool = True) -> Iterator[None]:
    """Whatever runs inside looks anew, if ``is_anew``."""
    token = _is_anew.set(is_anew)
    try:
        yield
    finally:
        _is_anew.reset(token)


def looks_anew() -> bool:
    """Whether somebody has asked to look anew."""
    return _is_anew.get()
