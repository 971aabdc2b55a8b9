"""The messages that wait: their order, their bound, and the pauses between attempts."""

from __future__ import annotations

import dataclasses

from healthguard.monitor.outbox import MAX_MESSAGES, Message, MessageKind, bounded, due_messages, next_attempt

NOW = 1000.0


def message(identifier: str, channel: str = "1", not_before: float = 0.0) -> Message:
    return Message(identifier, channel, "title", "body", MessageKind.FAILURE, NOW, not_before=not_before)


def test_only_the_first_message_of_a_channel_is_sent() -> None:
    """Otherwise a channel could get that a service is restored before that it failed."""
    waiting = [message("a", not_before=NOW + 5), message("b"), message("c", "2"), message("d", "2")]
    assert [item.id for item in due_messages(waiting, NOW)] == ["c"]
    assert next_attempt(waiting) == 0.0


def test_pause_doubles_up_to_five_minutes() -> None:
    pauses = []
    waiting = message("a")
    for _ in range(9):
        waiting = waiting.started().failed(NOW)
        pauses.append(waiting.not_before - NOW)
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_clock_that_was_set_back_does_not_delay_a_message_for_long() -> None:
    assert message("a", not_before=NOW).is_due(NOW - 3600)


def test_oldest_messages_of_a_channel_are_dropped() -> None:
    waiting = [message(str(number)) for number in range(MAX_MESSAGES + 3)] + [message("other", "2")]
    kept, dropped = bounded(waiting)
    assert dropped == 3
    assert [kept[0].id, kept[-1].id] == ["3", "other"]


def test_message_whose_delivery_was_interrupted_may_be_a_repetition() -> None:
    interrupted = message("a").started()
    assert not interrupted.may_be_repeated
    assert interrupted.started().may_be_repeated
    assert dataclasses.replace(interrupted.started().failed(NOW)).started().may_be_repeated
