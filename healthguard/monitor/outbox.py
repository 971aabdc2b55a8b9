"""The outbox: the messages that are not delivered yet, in the order in which they must be delivered."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable
from typing import Any, Self

from healthguard.monitor.durations import valid_time

MAX_MESSAGES = 200
"""The number of messages that are kept for one channel. The oldest ones are dropped first."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
"""The times between two attempts (seconds). Each is twice as long as the one before."""


class MessageKind(enum.StrEnum):
    """The kind of a message. The values are the notification types of Apprise."""

    FAILURE = "failure"
    WARNING = "warning"
    SUCCESS = "success"
    INFO = "info"


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """A message that must be delivered over one channel.

    Args:
        id: an id by which a receiver recognizes a message that it gets a second time.
        channel: the name of the channel.
        title: one line.
        body: plain text.
        kind: the kind.
        created: the time at which it was written (seconds since the epoch).
        attempts: the number of attempts to deliver it.
        not_before: the time of the next attempt (seconds since the epoch).
        is_in_flight: True while it is being sent.
        may_be_repeated: True if a monitor has ended while it was sending the message, so that it may be delivered.
    """

    id: str
    channel: str
    title: str
    body: str
    kind: MessageKind
    created: float
    attempts: int = 0
    not_before: float = 0.0
    is_in_flight: bool = False
    may_be_repeated: bool = False

    def started(self) -> Self:
        """Return the message at the beginning of an attempt."""
        return dataclasses.replace(
            self,
            attempts=self.attempts + 1,
            is_in_flight=True,
            may_be_repeated=self.may_be_repeated or self.is_in_flight,
        )

    def failed(self, now: float) -> Self:
        """Return the message after an attempt that has failed at ``now`` (seconds since the epoch)."""
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self.attempts - 1, 10))
        return dataclasses.replace(self, not_before=now + pause, is_in_flight=False)

    def is_due(self, now: float) -> bool:
        """Return True if it is time for the next attempt. A wall clock that was set back does not delay it for long."""
        return now >= self.not_before or now < self.not_before - LONGEST_PAUSE

    def to_json(self) -> dict[str, Any]:
        """Return the members of a JSON object."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Return the message that :meth:`to_json` has written.

        Raises:
            KeyError, TypeError, ValueError, OverflowError: the document is of another form.
        """
        return cls(
            str(document["id"]),
            str(document["channel"]),
            str(document["title"]),
            str(document["body"]),
            MessageKind(document["kind"]),
            valid_time(document["created"]),
            int(document["attempts"]),
            valid_time(document["not_before"]),
            bool(document["is_in_flight"]),
            bool(document["may_be_repeated"]),
        )


def due_messages(messages: Iterable[Message], now: float) -> list[Message]:
    """Return the first message of each channel, if it is due. The others wait, so that the order is kept."""
    return [message for message in _first_of_channels(messages) if message.is_due(now)]


def next_attempt(messages: Iterable[Message]) -> float:
    """Return the time of the next attempt (seconds since the epoch); infinity if all messages are delivered."""
    return min((message.not_before for message in _first_of_channels(messages)), default=float("inf"))


def _first_of_channels(messages: Iterable[Message]) -> Iterable[Message]:
    """Return the first message of each channel."""
    first: dict[str, Message] = {}
    for message in messages:
        first.setdefault(message.channel, message)
    return first.values()


def bounded(messages: Iterable[Message]) -> tuple[tuple[Message, ...], int]:
    """Return the messages without the oldest ones of a channel with too many, and the number of those left out."""
    kept: list[Message] = []
    counts: dict[str, int] = {}
    total = 0
    for message in reversed([*messages]):
        total += 1
        counts[message.channel] = counts.get(message.channel, 0) + 1
        if counts[message.channel] <= MAX_MESSAGES:
            kept.append(message)
    return tuple(reversed(kept)), total - len(kept)
