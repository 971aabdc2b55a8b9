"""The outcome of a run: the value that requests are answered from, in this process and in the others of the pod."""

from __future__ import annotations

import dataclasses
import datetime

from healthguard.status import CheckResult


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """The results of a run.

    Args:
        generation: the number of the run: the runs of a service are numbered in the pod.
        results: one result per check.
        started: when the run began (``time.monotonic()`` seconds, which are the same in all processes of a machine).
        finished: when it ended, or when its timeout expired (``time.monotonic()`` seconds).
        checked_at: the same moment as a wall clock shows it (UTC).
        fresh_until: the moment from which the service is due again (``time.monotonic()`` seconds).
        is_final: False if the timeout of the run has expired, but the run has not ended.
        bypassed_cache: True if its checks used nothing that an earlier run had cached.
        aborts: how many runs in a row, including this one, were aborted.
    """

    generation: int
    results: tuple[CheckResult, ...]
    started: float
    finished: float
    checked_at: datetime.datetime
    fresh_until: float
    is_final: bool = True
    bypassed_cache: bool = False
    aborts: int = 0

    @property
    def position(self) -> tuple[int, bool]:
        """Its position among the outcomes of the service. The one with the largest position counts."""
        return self.generation, self.is_final

    @property
    def duration(self) -> float:
        """The duration of the run (seconds)."""
        return self.finished - self.started
