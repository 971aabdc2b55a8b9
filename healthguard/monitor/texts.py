"""The texts of the messages: one line per event as a title, and a paragraph per event in the body."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence

from healthguard.monitor.channels import Channel
from healthguard.monitor.durations import shown_duration, shown_time
from healthguard.monitor.outbox import Message, MessageKind
from healthguard.monitor.track import Event, EventKind
from healthguard.status import Status

MAX_TITLE, MAX_BODY = 150, 3000
"""The longest title and body (characters). Longer ones are rejected by some receivers."""
_MAX_EVENTS = 20
_MAX_PROBLEMS = 3
_MAX_TEXT = 400

_FAILING = frozenset({EventKind.FAILED, EventKind.CHANGED, EventKind.REMINDED})
_GOOD = frozenset({EventKind.RESTORED, EventKind.SETTLED})
_PREDICATES = {
    EventKind.FAILED: "is {status}",
    EventKind.CHANGED: "is now {status}",
    EventKind.REMINDED: "is still {status}",
    EventKind.RESTORED: "is healthy again",
    EventKind.FLAPPING: "is flapping: its status changes again and again",
    EventKind.SETTLED: "has stopped flapping and is {status}",
    EventKind.REMOVED: "is no longer monitored",
}
REPETITION = "This message may be a repetition: the monitor ended while it was sending it."


def compose(events: Sequence[Event], channel: Channel, link: str | None, *, is_all_well: bool) -> Message:
    """Return one message about all events of a round.

    Args:
        events: at least one event, all of the same round.
        channel: the channel.
        link: the URL of a page to show at the end.
        is_all_well: True if no service is failing or flapping any more, according to the messages.
    """
    ordered = sorted(events, key=lambda event: -_urgency(event))
    identifier = secrets.token_hex(6)
    return Message(
        id=identifier,
        channel=channel.name,
        title=_title(ordered),
        body=_body(ordered, [*([link] if link else []), f"Message {identifier}"]),
        kind=_kind(ordered, is_all_well=is_all_well),
        created=events[0].time,
    )


def test_message(channel: Channel, instance: str, now: float) -> Message:
    """Return a message that only shows that the channel works."""
    identifier = secrets.token_hex(6)
    body = f"This is a test of the monitor on {instance}. Nothing has failed.\n\nMessage {identifier}"
    return Message(identifier, channel.name, "healthguard: test message", body, MessageKind.INFO, now)


def _urgency(event: Event) -> int:
    return event.status.severity if event.kind in _FAILING else 0


def _kind(events: Sequence[Event], *, is_all_well: bool) -> MessageKind:
    """Return the kind of a message. Receivers may close an incident when they get a success."""
    if any(event.kind in _FAILING and not event.status.is_serving for event in events):
        return MessageKind.FAILURE
    if all(event.kind in _GOOD and event.status is Status.HEALTHY for event in events):
        return MessageKind.SUCCESS if is_all_well else MessageKind.INFO
    return MessageKind.WARNING


def _title(events: Sequence[Event]) -> str:
    first = f"{_subject(events[0])} {_predicate(events[0])}"
    more = f" (and {len(events) - 1} more)" if len(events) > 1 else ""
    return f"healthguard: {_cut(first, MAX_TITLE - len(more) - 13)}{more}"


def _body(events: Sequence[Event], last: Sequence[str]) -> str:
    end = "\n\n" + "\n".join(last)
    paragraphs = ["\n".join(_paragraph(event)) for event in events[:_MAX_EVENTS]]
    shown = list(paragraphs)
    while True:
        left_out = len(events) - len(shown)
        rest = f"\n\nAnd {left_out} more: see manage.py healthguard history." if left_out else ""
        body = "\n\n".join(shown) + rest + end
        if len(body) <= MAX_BODY or len(shown) == 1:
            return body if len(body) <= MAX_BODY else _cut(body, MAX_BODY - len(end)) + end
        shown.pop()


def _paragraph(event: Event) -> Iterator[str]:
    yield f"{_subject(event)} {_predicate(event)}{_period(event)}."
    if event.kind in _FAILING or (event.kind is EventKind.SETTLED and event.status is not Status.HEALTHY):
        for problem in event.problems[:_MAX_PROBLEMS]:
            yield f"{_cut(problem.message, _MAX_TEXT)} [{problem.code}, {problem.fault}]"
            yield f"Fix: {_cut(problem.hint, _MAX_TEXT)}"
        if len(event.problems) > _MAX_PROBLEMS:
            yield f"And {len(event.problems) - _MAX_PROBLEMS} more problems of this service."


def _subject(event: Event) -> str:
    return f"{event.service} on {event.instance}"


def _predicate(event: Event) -> str:
    if event.kind is EventKind.REMINDED and event.is_flapping:
        return "is still flapping"
    return _PREDICATES[event.kind].format(status=event.status)


def _period(event: Event) -> str:
    seconds = event.time - event.since
    duration = shown_duration(seconds)
    match event.kind:
        case EventKind.RESTORED:
            return f", after {duration}. The failure began at {shown_time(event.since)}"
        case EventKind.SETTLED:
            return f", after {duration}"
        case EventKind.REMOVED:
            return f". It was failing since {shown_time(event.since)}"
    return f", since {shown_time(event.since)}" + (f" ({duration})" if seconds >= 1 else "")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
