"""The lines that the monitor writes: for people, or one JSON object per line for machines."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

from healthguard.monitor.durations import iso_time, shown_time
from healthguard.monitor.history import Change
from healthguard.runtime.text import escaped


class Journal(Protocol):
    """The receiver of what happens in the monitor."""

    def change(self, change: Change) -> None:
        """Write that the status of a service has changed."""

    def round(self, now: float, statuses: dict[str, int]) -> None:
        """Write that a round has ended, with the number of services by status."""

    def event(self, now: float, name: str, text: str, **facts: Any) -> None:
        """Write that something else has happened.

        Args:
            now: the time (seconds since the epoch).
            name: the name of the event for machines.
            text: one sentence for people.
            facts: facts for machines.
        """


class TextJournal:
    """Lines for people.

    Args:
        write: the function that writes a line.
        shows_rounds: True to write a line for each round.
    """

    def __init__(self, write: Callable[[str], None], *, shows_rounds: bool = False) -> None:
        self._write = write
        self._shows_rounds = shows_rounds

    def change(self, change: Change) -> None:
        """Write a change with its reasons."""
        status = "no longer monitored" if change.status is None else change.status
        muted = " (muted)" if change.is_muted else ""
        reasons = "; ".join(
            f"{problem.message} {problem.hint} [{problem.code}, {problem.fault}]" for problem in change.problems
        )
        line = f"{change.service} on {change.instance}: {change.previous} -> {status}{muted}"
        self._line(change.time, f"{line}: {reasons}" if reasons else line)

    def round(self, now: float, statuses: dict[str, int]) -> None:
        """Write the counts of a round, if rounds are shown."""
        if self._shows_rounds:
            self._line(now, ", ".join(f"{count} {status}" for status, count in statuses.items()) or "nothing observed")

    def event(self, now: float, name: str, text: str, **facts: Any) -> None:
        """Write the sentence."""
        self._line(now, text)

    def _line(self, now: float, text: str) -> None:
        self._write(f"{shown_time(now)}  {escaped(text)}\n")


class JsonJournal:
    """Lines for machines.

    Args:
        write: the function that writes a line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def change(self, change: Change) -> None:
        """Write a change."""
        document = change.to_json()
        del document["time"]
        self._line(change.time, "change", document)

    def round(self, now: float, statuses: dict[str, int]) -> None:
        """Write the counts of a round."""
        self._line(now, "round", {"services": statuses})

    def event(self, now: float, name: str, text: str, **facts: Any) -> None:
        """Write the sentence and the facts."""
        self._line(now, name, {"text": escaped(text), **facts})

    def _line(self, now: float, name: str, facts: dict[str, Any]) -> None:
        self._write(json.dumps({"time": iso_time(now), "event": name, **facts}) + "\n")
