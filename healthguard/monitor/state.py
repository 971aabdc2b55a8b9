"""The state of the monitor: what must survive its end."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

from healthguard.monitor.durations import valid_time
from healthguard.monitor.history import Change
from healthguard.monitor.outbox import Message
from healthguard.monitor.track import Track

VERSION = 1
"""The version of the document."""


class StateError(Exception):
    """A document is not a state that this version can read. The text says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """The state of the monitor.

    Args:
        tracks: the monitored services.
        changes: the record of changes, oldest first.
        messages: the messages that are not delivered yet, in their order.
        checked_at: the time of the last round (seconds since the epoch); None before the first round.
    """

    tracks: tuple[Track, ...] = ()
    changes: tuple[Change, ...] = ()
    messages: tuple[Message, ...] = ()
    checked_at: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the document."""
        return {
            "version": VERSION,
            "checked_at": self.checked_at,
            "tracks": [track.to_json() for track in self.tracks],
            "changes": [change.to_json() for change in self.changes],
            "messages": [message.to_json() for message in self.messages],
        }

    @classmethod
    def from_json(cls, document: object) -> Self:
        """Return the state that a document contains.

        Raises:
            StateError: the document is of another form, or of another version.
        """
        if not isinstance(document, dict) or "version" not in document:
            raise StateError("it is not the state of a monitor")
        if document["version"] != VERSION:
            raise StateError("it was written by another version of healthguard")
        try:
            checked_at = document["checked_at"]
            return cls(
                tuple(map(Track.from_json, document["tracks"])),
                tuple(map(Change.from_json, document["changes"])),
                tuple(map(Message.from_json, document["messages"])),
                None if checked_at is None else valid_time(checked_at),
            )
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
            raise StateError("a part of it is missing or has another form") from None
