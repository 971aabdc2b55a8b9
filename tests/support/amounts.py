"""The amount that a run tries: everything in CI; elsewhere a tenth of the random values and a part of the pairs."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Sequence
from itertools import product
from typing import TypeVar

from tests.faults.outcomes import WRITE

A = TypeVar("A")
B = TypeVar("B")

TRIES_ALL = bool(os.environ.get("CI") or os.environ.get(WRITE))
"""True in CI, with CI=1, and when a page of measurements is written."""


def some_of(count: int) -> int:
    """Return the part of ``count`` that this run tries."""
    return count if TRIES_ALL else count // 10


def pairs(first: Sequence[A], second: Sequence[B]) -> list[tuple[A, B]]:
    """Return all pairs, or just enough pairs that each member of both sequences occurs."""
    if TRIES_ALL:
        return list(product(first, second))
    count = max(len(first), len(second))
    return [(first[number % len(first)], second[number % len(second)]) for number in range(count)]


def one_of_each(cases: Sequence[A], kind: Callable[[A], Hashable]) -> list[A]:
    """Return all cases, or the first of each kind."""
    return list(cases) if TRIES_ALL else list({kind(case): case for case in reversed(cases)}.values())[::-1]
