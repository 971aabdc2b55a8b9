"""Rounds: runs that are due together and use the same databases share one thread and its connections.

A database that serves a large fleet has to open few connections. So the runs of a round are executed one after the
other. If one of them takes long, the others do not wait for it: they become a new round. If that happens several times,
as with a database that does not respond, each gets a thread and connections of its own.
"""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Iterable
from typing import TypeAlias

from healthguard.database.run_connections import RunConnections
from healthguard.runner.outcome import Outcome
from healthguard.runner.run import Run
from healthguard.runner.slot import Slot
from healthguard.runtime.deadline import REPORTING_SHARE

HANDOVER_SECONDS = 0.2
"""The time after which the other runs of a round no longer wait for the current one (seconds)."""
_MAX_HANDOVERS = 2
"""The number of handovers after which no run waits for another."""

StartedRun: TypeAlias = tuple[Slot, Run]
"""A run, and the state of its service."""


class Round:
    """Runs that one thread executes one after the other.

    Args:
        runs: the runs. Their services have the same timeout.
        handovers: how often they have been handed over from another round.
    """

    def __init__(self, runs: Iterable[StartedRun], handovers: int = 0) -> None:
        self.runs = tuple(runs)
        self._handovers = handovers
        self._waiting = collections.deque(self.runs)
        timeout = self.runs[0][0].service.timeout
        self.hand_over_from = time.monotonic() + min(HANDOVER_SECONDS, timeout / 2)
        """The moment from which the waiting runs no longer wait (``time.monotonic()`` seconds)."""
        self.connections = RunConnections(timeout * (1 - REPORTING_SHARE))
        for _, run in self.runs:
            run.resources.connections = self.connections

    @property
    def has_waiting(self) -> bool:
        """True if runs wait for the current one."""
        return bool(self._waiting)

    def next(self) -> StartedRun | None:
        """Return the next run to execute; None if there is none left."""
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    def handed_over(self) -> list[Round]:
        """Remove the runs that wait for the current one, and return the rounds that execute them instead."""
        waiting = self.take_waiting()
        handovers = self._handovers + 1
        if not waiting:
            return []
        if handovers >= _MAX_HANDOVERS:
            return [Round([started]) for started in waiting]
        return [Round(waiting, handovers)]

    def take_waiting(self) -> list[StartedRun]:
        """Remove the runs that wait for the current one, and return them."""
        taken = []
        while (waiting := self.next()) is not None:
            taken.append(waiting)
        return taken


def rounds_of(runs: Iterable[StartedRun]) -> list[Round]:
    """Return the rounds that execute these runs. Runs with a common database and the same timeout share a round."""
    groups: list[tuple[set[str], float, list[StartedRun]]] = []
    for slot, run in runs:
        aliases = set(slot.service.aliases)
        timeout, members = slot.service.timeout, [(slot, run)]
        others = []
        for group in groups:
            if group[1] == timeout and group[0] & aliases:
                aliases |= group[0]
                members = [*group[2], *members]
            else:
                others.append(group)
        groups = [*others, (aliases, timeout, members)]
    return [Round(members) for _, _, members in groups]


class Schedule:
    """The services that share rounds, and the moments at which they are due.

    Args:
        slots: the states of all services.
    """

    def __init__(self, slots: Iterable[Slot]) -> None:
        self._mates: dict[tuple[str, float], list[Slot]] = {}
        """The services by the alias of their database and their ttl."""
        for slot in slots:
            for alias in slot.service.aliases:
                self._mates.setdefault((alias, slot.service.ttl), []).append(slot)

    def aligned(self, slot: Slot, outcome: Outcome) -> Outcome:
        """Return the outcome of a run that has just ended, due when the other services of its rounds are due.

        That may be earlier than its ttl allows, if a service that has hung or was requested alone joins the others
        again. Otherwise each would get a connection of its own from then on.
        """
        moments = [
            mate.outcome.fresh_until
            for alias in slot.service.aliases
            for mate in self._mates[alias, slot.service.ttl]
            if mate is not slot and mate.outcome is not None and mate.outcome.is_final
        ]
        # Services that are due do not count.
        coming = [moment for moment in moments if outcome.finished < moment <= outcome.fresh_until]
        return dataclasses.replace(outcome, fresh_until=max(coming)) if coming else outcome
