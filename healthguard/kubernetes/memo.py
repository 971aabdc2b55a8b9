"""Results that are computed once for each subject, and kept as long as the subject."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, TypeVar

Memo: TypeAlias = dict[object, Any]
"""The results for one subject, by the function that computes them."""


class HasMemo(Protocol):
    """A subject of functions: a cluster, an object, a workload, a container."""

    @property
    def memo(self) -> Memo:
        """The results for the subject."""


S = TypeVar("S", bound=HasMemo)
T = TypeVar("T")


def memoized(compute: Callable[[S], T]) -> Callable[[S], T]:
    """Return a function that calls ``compute`` once for each subject, and keeps the result in the subject."""

    @functools.wraps(compute)
    def result_of(subject: S) -> T:
        memo = subject.memo
        if compute not in memo:
            memo[compute] = compute(subject)
        result: T = memo[compute]
        return result

    return result_of
