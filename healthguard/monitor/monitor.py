"""The monitor: rounds, in which all instances are checked, and the delivery of what is worth a message."""

from __future__ import annotations

import collections
import dataclasses
import random
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from healthguard.monitor.advance import advance
from healthguard.monitor.channels import Routing
from healthguard.monitor.heartbeat import Heartbeat
from healthguard.monitor.instances import Instances
from healthguard.monitor.journal import Journal
from healthguard.monitor.mutes import Mutes
from healthguard.monitor.observation import Sighting
from healthguard.monitor.outbox import MAX_MESSAGES, Message, bounded, due_messages, next_attempt
from healthguard.monitor.policy import Policy
from healthguard.monitor.state import State
from healthguard.monitor.texts import REPETITION, compose
from healthguard.monitor.track import Reported

JITTER = 0.1
"""The largest share of the interval by which a round begins earlier or later."""


class Clock:
    """The time. Tests use another one."""

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return the seconds of a clock that nobody sets."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class Storage(Protocol):
    """The place of the state; see :mod:`healthguard.monitor.storage`."""

    def load(self) -> tuple[State, str]:
        """Return the state, and a note for the user."""

    def save(self, state: State) -> str:
        """Store the state; return why it has failed, or an empty text."""

    def mutes(self) -> tuple[Mutes, str]:
        """Return the mutes, and a note for the user."""


class Delivery(Protocol):
    """The way in which messages are delivered; see :mod:`healthguard.monitor.sender`."""

    def deliver(self, messages: Sequence[Message], urls: Mapping[str, str]) -> list[str]:
        """Deliver messages; return why each has failed, or an empty text."""


@dataclasses.dataclass(frozen=True, slots=True)
class Setup:
    """The parts of a monitor.

    Args:
        instances: what is monitored.
        policy: the policy.
        routing: the channels.
        storage: the place of the state.
        delivery: the way in which messages are delivered.
        journal: the receiver of what happens.
        heartbeat: the heartbeat; None to send none.
        link: a URL to show in each message; None for none.
        clock: the time.
    """

    instances: Instances
    policy: Policy
    routing: Routing
    storage: Storage
    delivery: Delivery
    journal: Journal
    heartbeat: Heartbeat | None = None
    link: str | None = None
    clock: Clock = dataclasses.field(default_factory=Clock)


class Monitor:
    """The monitor.

    Args:
        setup: its parts.

    Raises:
        OSError: the state cannot be read.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._urls = {channel.name: channel.url for channel in setup.routing.channels}
        self._notes: dict[str, str] = {}
        self._state, note = setup.storage.load()
        if note:
            self._note("state", note)
        self._state = dataclasses.replace(self._state, messages=tuple(self._routed(self._state.messages)))

    @property
    def state(self) -> State:
        """The state."""
        return self._state

    def run(self, interval: float) -> None:
        """Run rounds forever.

        Args:
            interval: the time between the beginnings of two rounds (seconds).
        """
        clock = self._setup.clock
        next_round = clock.monotonic() + self._seconds_to_first_round(interval)
        while True:
            self._deliver_until(next_round)
            next_round = clock.monotonic() + interval * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
            self.round()

    def _seconds_to_first_round(self, interval: float) -> float:
        """Return the rest of the interval after the last round of an earlier process (seconds).

        A monitor that is restarted again and again must not count its rounds faster.
        """
        if self._state.checked_at is None:
            return 0.0
        left = self._state.checked_at + interval * (1 - JITTER) - self._setup.clock.now()
        return left if 0 < left <= interval else 0.0

    def _deliver_until(self, moment: float) -> None:
        """Deliver what is due until a moment (seconds of the monotonic clock)."""
        clock = self._setup.clock
        self.deliver()
        while (left := moment - clock.monotonic()) > 0:
            clock.sleep(min(left, self.seconds_to_next_attempt))
            self.deliver()

    def round(self) -> bool:
        """Check all instances, store what has changed, and send the heartbeat. Return True if the round is good.

        A round is good if all instances are healthy or degraded. Muted services do not count.
        """
        setup = self._setup
        sightings = setup.instances.look()
        now = setup.clock.now()
        mutes, note = setup.storage.mutes()
        self._note("mutes", note)
        outcome = advance(self._state, sightings, setup.policy, mutes, now)
        routed = setup.routing.events_by_channel(outcome.events)
        is_all_well = all(track.reported is Reported.HEALTHY for track in outcome.state.tracks)
        new = [compose(events, channel, setup.link, is_all_well=is_all_well) for channel, events in routed.items()]
        messages, dropped = bounded([*outcome.state.messages, *new])
        self._save(dataclasses.replace(outcome.state, messages=messages))
        for change in outcome.changes:
            setup.journal.change(change)
        if dropped:
            text = f"{dropped} messages were dropped: more than {MAX_MESSAGES} wait for one channel."
            setup.journal.event(now, "dropped", text, count=dropped)
        counts = collections.Counter(str(track.status) for track in outcome.state.tracks)
        setup.journal.round(now, dict(sorted(counts.items())))
        is_good = all(_is_good(sighting, mutes, now) for sighting in sightings.values())
        if setup.heartbeat is not None:
            reason = setup.heartbeat.beat(is_good=is_good)
            self._note("heartbeat", f"The heartbeat failed, because {reason}." if reason else "")
        return is_good

    def deliver(self) -> bool:
        """Deliver the messages that are due. Return True if none is left."""
        setup = self._setup
        while due := due_messages(self._deliverable, setup.clock.now()):
            started = [message.started() for message in due]
            self._replace({message.id: message for message in started})
            reasons = setup.delivery.deliver([_with_repetition(message) for message in started], self._urls)
            now = setup.clock.now()
            outcomes = list(zip(started, reasons, strict=True))
            self._replace({message.id: message.failed(now) if reason else None for message, reason in outcomes})
            for message, reason in outcomes:
                self._report_delivery(message, reason, now)
        return not self._deliverable

    @property
    def seconds_to_next_attempt(self) -> float:
        """The time until the next attempt to deliver a message (seconds); infinity if all are delivered."""
        return max(0.0, next_attempt(self._deliverable) - self._setup.clock.now())

    @property
    def _deliverable(self) -> list[Message]:
        """The messages that are not delivered yet, without those that are kept for a monitor that has channels."""
        return [message for message in self._state.messages if message.channel in self._urls]

    def _report_delivery(self, message: Message, reason: str, now: float) -> None:
        journal = self._setup.journal
        facts = {"channel": message.channel, "message": message.id, "title": message.title}
        if not reason:
            journal.event(now, "delivered", f"Sent over channel {message.channel}: {message.title}", **facts)
            self._notes.pop(message.channel, None)
        elif self._notes.get(message.channel) != reason:
            self._notes[message.channel] = reason
            text = f"A message could not be sent over channel {message.channel}: {reason}. It is kept and tried again."
            journal.event(now, "undelivered", text, **facts, reason=reason)

    def _routed(self, messages: Sequence[Message]) -> list[Message]:
        """Return messages of an earlier process. Those for a channel that is gone go to the first one."""
        if not self._urls:
            return list(messages)
        first = next(iter(self._urls))
        return [
            message if message.channel in self._urls else dataclasses.replace(message, channel=first)
            for message in messages
        ]

    def _replace(self, changed: Mapping[str, Message | None]) -> None:
        """Store other messages under some ids, or that they are delivered."""
        messages = (changed.get(message.id, message) for message in self._state.messages)
        self._save(dataclasses.replace(self._state, messages=tuple(message for message in messages if message)))

    def _save(self, state: State) -> None:
        self._state = state
        self._note("state", self._setup.storage.save(state))

    def _note(self, subject: str, text: str) -> None:
        """Write a note once, until it changes."""
        if text and self._notes.get(subject) != text:
            self._setup.journal.event(self._setup.clock.now(), subject, text)
        self._notes[subject] = text


def _is_good(sighting: Sighting, mutes: Mutes, now: float) -> bool:
    if sighting.is_good:
        return True
    failing = [item for item in sighting.observations if item.is_failing and item.is_critical]
    return bool(failing) and all(mutes.is_muted(item.service, now) for item in failing)


def _with_repetition(message: Message) -> Message:
    """Return a message with a warning if it may have been delivered before."""
    if not message.may_be_repeated:
        return message
    return dataclasses.replace(message, body=f"{message.body}\n{REPETITION}")
