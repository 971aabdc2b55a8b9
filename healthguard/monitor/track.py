"""The track of one service over the rounds, and the events that it leads to: a pure function of its observations."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, Self

from healthguard.monitor.durations import valid_time
from healthguard.monitor.observation import Found, Observation
from healthguard.monitor.policy import FLAPPING_CHANGES, FLAPPING_ROUNDS, MIN_RUNS, SETTLED_ROUNDS, Policy
from healthguard.status import Status


class Reported(enum.StrEnum):
    """The kind of the last message about a service."""

    HEALTHY = "healthy"
    """None yet, or that it is healthy again."""
    FAILING = "failing"
    FLAPPING = "flapping"


class EventKind(enum.StrEnum):
    """The kind of an event."""

    FAILED = "failed"
    CHANGED = "changed"
    """It still fails, in another way."""
    REMINDED = "reminded"
    RESTORED = "restored"
    FLAPPING = "flapping"
    SETTLED = "settled"
    REMOVED = "removed"
    """It was failing, and is no longer part of what is monitored."""


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """A fact about one service that is worth a message.

    Args:
        kind: the kind.
        instance: the name of the instance.
        service: the path of the service as text.
        status: its status now.
        problems: its problems now.
        since: the beginning of the failure, or of the flapping (seconds since the epoch).
        time: the time of the round (seconds since the epoch).
        is_critical: False if failures of the service count only as degraded.
        is_flapping: True if the service is flapping.
    """

    kind: EventKind
    instance: str
    service: str
    status: Status
    problems: tuple[Found, ...]
    since: float
    time: float
    is_critical: bool = True
    is_flapping: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Track:
    """The state of one service of one instance, as the last rounds have shown it.

    Args:
        instance: the name of the instance.
        service: the path of the service as text.
        status: the status in the last round.
        failing_since: the time of the first failing round of the last failure (seconds since the epoch).
        failing_rounds: the number of failing rounds in a row.
        failing_runs: the number of runs of its checks that these rounds have shown. A result that an instance has
            cached is one run, however many rounds show it.
        checked_at: the end of the last run (seconds since the epoch); None if it is not known.
        kind: the status, and the codes of wrong configurations, of the last round.
        kind_rounds: the number of rounds in a row with this kind.
        recent: for each of the last rounds, True if the status had changed.
        reported: the kind of the last message.
        reported_kind: the kind of failure that the last message was about.
        reported_at: the time of the last message (seconds since the epoch).
        flapping_since: the time at which the service was found to flap (seconds since the epoch).
        problems: the problems in the last round.
        is_critical: False if failures of the service count only as degraded.
    """

    instance: str
    service: str
    status: Status = Status.UNKNOWN
    failing_since: float = 0.0
    failing_rounds: int = 0
    failing_runs: int = 0
    checked_at: float | None = None
    kind: tuple[str, ...] = ()
    kind_rounds: int = 0
    recent: tuple[bool, ...] = ()
    reported: Reported = Reported.HEALTHY
    reported_kind: tuple[str, ...] = ()
    reported_at: float = 0.0
    flapping_since: float = 0.0
    problems: tuple[Found, ...] = ()
    is_critical: bool = True

    @property
    def is_new(self) -> bool:
        """True if the service was not observed before."""
        return not self.kind_rounds

    def observed(self, observation: Observation, now: float) -> Self:
        """Return the track after one more round."""
        kind = (observation.status, *observation.config_codes)
        has_changed = not self.is_new and observation.status is not self.status
        is_same_run = observation.checked_at is not None and observation.checked_at == self.checked_at
        is_beginning = not observation.is_healthy and not self.failing_rounds and self.reported is not Reported.FAILING
        return dataclasses.replace(
            self,
            status=observation.status,
            failing_since=now if is_beginning else self.failing_since,
            failing_rounds=0 if observation.is_healthy else self.failing_rounds + 1,
            failing_runs=0 if observation.is_healthy else self.failing_runs + (0 if is_same_run else 1),
            checked_at=observation.checked_at,
            kind=kind,
            kind_rounds=self.kind_rounds + 1 if kind == self.kind else 1,
            recent=(*self.recent, has_changed)[-FLAPPING_ROUNDS:],
            problems=observation.problems,
            is_critical=observation.is_critical,
        )

    def next_event(self, observation: Observation, policy: Policy, now: float) -> EventKind | None:
        """Return the kind of the message to send after a round; None if there is nothing new to say.

        Args:
            observation: the observation of the last round, which the track already contains.
            policy: the policy.
            now: the time of the round (seconds since the epoch).
        """
        if self.reported is Reported.FLAPPING:
            is_settled = not any(self.recent[-SETTLED_ROUNDS:])
            return EventKind.SETTLED if is_settled else self._reminder(policy, now)
        if sum(self.recent) > FLAPPING_CHANGES:
            return EventKind.FLAPPING
        if observation.is_healthy:
            return EventKind.RESTORED if self.reported is Reported.FAILING else None
        required = policy.rounds_before(observation)
        if self.reported is Reported.HEALTHY:
            has_lasted = self.failing_rounds >= required and self.failing_runs >= min(required, MIN_RUNS)
            return EventKind.FAILED if has_lasted else None
        if self.kind != self.reported_kind and self.kind_rounds >= required:
            return EventKind.CHANGED
        return self._reminder(policy, now)

    def after_message(self, kind: EventKind, now: float) -> tuple[Self, Event]:
        """Return the track after a message, and the event that the message is about.

        Args:
            kind: the kind that :meth:`next_event` has returned.
            now: the time of the round (seconds since the epoch).
        """
        reported, flapping_since = self.reported, self.flapping_since
        if kind is EventKind.FLAPPING:
            reported, flapping_since = Reported.FLAPPING, now
        elif kind in (EventKind.FAILED, EventKind.CHANGED):
            reported = Reported.FAILING
        elif kind in (EventKind.RESTORED, EventKind.SETTLED):
            reported = Reported.HEALTHY if self.status is Status.HEALTHY else Reported.FAILING
        track = dataclasses.replace(
            self, reported=reported, reported_kind=self.kind, reported_at=now, flapping_since=flapping_since
        )
        return track, self.event(kind, now)

    def event(self, kind: EventKind, now: float) -> Event:
        """Return an event of this service."""
        is_flapping = kind is EventKind.FLAPPING or self.reported is Reported.FLAPPING
        since = (self.flapping_since if kind is not EventKind.FLAPPING else now) if is_flapping else self.failing_since
        return Event(
            kind, self.instance, self.service, self.status, self.problems, since, now, self.is_critical, is_flapping
        )

    def _reminder(self, policy: Policy, now: float) -> EventKind | None:
        is_due = policy.remind is not None and now - self.reported_at >= policy.remind
        return EventKind.REMINDED if is_due else None

    def to_json(self) -> dict[str, Any]:
        """Return the members of a JSON object."""
        return {**dataclasses.asdict(self), "problems": [problem.to_json() for problem in self.problems]}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Return the track that :meth:`to_json` has written.

        Raises:
            KeyError, TypeError, ValueError, OverflowError: the document is of another form.
        """
        checked_at = document["checked_at"]
        return cls(
            instance=str(document["instance"]),
            service=str(document["service"]),
            status=Status(document["status"]),
            failing_since=valid_time(document["failing_since"]),
            failing_rounds=int(document["failing_rounds"]),
            failing_runs=int(document["failing_runs"]),
            checked_at=None if checked_at is None else valid_time(checked_at),
            kind=tuple(map(str, document["kind"])),
            kind_rounds=int(document["kind_rounds"]),
            recent=tuple(map(bool, document["recent"])),
            reported=Reported(document["reported"]),
            reported_kind=tuple(map(str, document["reported_kind"])),
            reported_at=valid_time(document["reported_at"]),
            flapping_since=valid_time(document["flapping_since"]),
            problems=tuple(map(Found.from_json, document["problems"])),
            is_critical=bool(document["is_critical"]),
        )
