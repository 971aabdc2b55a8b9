"""The record of changes: one entry for each change of the status of a service, as the signal sends it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Self

from healthguard.monitor.durations import valid_time
from healthguard.monitor.observation import Found
from healthguard.status import Status

MAX_CHANGES = 1000
"""The number of changes that are kept, besides the last change before them of each service."""


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """A change of the status of a service.

    Args:
        time: the time of the round (seconds since the epoch).
        instance: the name of the instance.
        service: the path of the service as text.
        previous: the status before; unknown if the service was not observed before.
        status: the status after it; None if the service is no longer monitored.
        problems: the problems after it.
        is_muted: True if the service was muted.
    """

    time: float
    instance: str
    service: str
    previous: Status
    status: Status | None
    problems: tuple[Found, ...] = ()
    is_muted: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the members of a JSON object."""
        return {**dataclasses.asdict(self), "problems": [problem.to_json() for problem in self.problems]}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Return the change that :meth:`to_json` has written.

        Raises:
            KeyError, TypeError, ValueError, OverflowError: the document is of another form.
        """
        status = document["status"]
        return cls(
            valid_time(document["time"]),
            str(document["instance"]),
            str(document["service"]),
            Status(document["previous"]),
            None if status is None else Status(status),
            tuple(map(Found.from_json, document["problems"])),
            bool(document["is_muted"]),
        )


def kept(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Return the changes to keep, oldest first: the newest ones, and the last one before them of each service.

    So the record has the status of each service at each moment since the oldest of the newest changes.
    """
    older, newest = changes[:-MAX_CHANGES], changes[-MAX_CHANGES:]
    last = {id(change) for change in _last(older)}
    return (*(change for change in older if id(change) in last), *newest)


def complete_since(changes: Sequence[Change]) -> float:
    """Return the time (seconds since the epoch) since which no change is missing in a record that is not empty."""
    return changes[-MAX_CHANGES:][0].time


def last_changes(changes: Iterable[Change], moment: float) -> list[Change]:
    """Return the last change of each service until a moment (seconds since the epoch), sorted by instance and service.

    Their statuses are those of the services at this moment. Services that were no longer monitored are left out.
    """
    return _last(change for change in changes if change.time <= moment)


def _last(changes: Iterable[Change]) -> list[Change]:
    last = {(change.instance, change.service): change for change in changes}
    return [change for _, change in sorted(last.items(), key=itemgetter(0)) if change.status is not None]
