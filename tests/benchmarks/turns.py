"""Measurements in turns (A B C A B C …), so that other work of the machine affects all of them equally."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Effort:
    """The amount of measurements.

    Args:
        seconds: the duration of each load on a server.
        rounds: the number of rounds.
    """

    seconds: float
    rounds: int


def in_turns(measures: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Return the results of each of ``measures``, round by round."""
    results: dict[str, list[T]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            results[name].append(measure())
    return results


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """Return the median of the ratios of all rounds. The two numbers of a round were measured one after the other."""
    return statistics.median(one / other for one, other in zip(over, under, strict=True))
