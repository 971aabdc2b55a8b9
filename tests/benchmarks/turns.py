"""Measuring in turns: A B C A B C …, so that whatever else the machine does hits all of them alike."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    Args:
        seconds: how long a server is under load at a time.
        rounds: how often each has its turn.
    """

    seconds: float
    rounds: int


def in_turns(measures: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """What each of ``measures`` gave, round by round."""
    given: dict[str, list[T]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            given[name].append(measure())
    return given


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """The median of the rounds' ratios: the two numbers of a round were measured side by side."""
    return statistics.median(one / other for one, other in zip(over, under, strict=True))
