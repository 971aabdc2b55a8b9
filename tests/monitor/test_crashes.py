"""Two hundred rounds of a flapping service, a receiver that fails at times, and a monitor that ends at every step."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from example_project.webhook_receiver import WebhookReceiver
from healthguard.monitor.observation import Observation
from healthguard.monitor.policy import Policy
from healthguard.monitor.sender import Sender
from healthguard.monitor.texts import REPETITION
from healthguard.status import Fault, Status
from tests.monitor.simulation import Watch, distinct, failing

ROUNDS = 200
STEPS = 16
"""The number of the steps of a round that are ends of the monitor in turn.

A write has five steps. Most rounds have one write, and rounds with a message have at least three.
"""


def flapping_script() -> list[list[Observation]]:
    """Return the rounds of two services that are up and down for random times."""
    chance = random.Random(16)
    services: dict[str, list[Observation]] = {"service": [], "other": []}
    for name, rounds in services.items():
        while len(rounds) < ROUNDS:
            # Calm for a while, then flapping for a while.
            longest = chance.choice([1, 12])
            for number in range(10 if longest == 1 else 3):
                item = failing(Fault.OUTAGE, name) if number % 2 else Observation(name, Status.HEALTHY)
                rounds.extend([item] * chance.randint(1, longest))
    return [list(pair) for pair in zip(*services.values(), strict=False)][:ROUNDS]


@pytest.fixture(scope="module")
def sender() -> Iterator[Sender]:
    """The process that sends messages. It outlives the simulated crashes."""
    sender = Sender()
    yield sender
    sender.close()


@pytest.fixture
def receive() -> Iterator[Callable[[Callable[[dict[str, Any]], int]], WebhookReceiver]]:
    """A function that starts a receiver."""
    receivers: list[WebhookReceiver] = []

    def start(status_of: Callable[[dict[str, Any]], int]) -> WebhookReceiver:
        receivers.append(WebhookReceiver(status_of))
        return receivers[-1]

    yield start
    for receiver in receivers:
        receiver.stop()


def failing_at_times(seed: int) -> Callable[[dict[str, Any]], int]:
    chance = random.Random(seed)
    return lambda message: chance.choice([200, 200, 500])


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """The title and the body of each message of a monitor that never ends, and whose receiver never fails."""
    watch = Watch(flapping_script(), tmp_path_factory.mktemp("expected") / "state", policy=Policy(remind=600))
    watch.run()
    return [(message.title, message.body.rpartition("Message ")[0]) for message in watch.record.messages]


def test_flapping_service_leads_to_each_kind_of_message(expected: list[tuple[str, str]]) -> None:
    """Otherwise the tests below would prove little."""
    words = ("is unhealthy", "is healthy again", "is still unhealthy", "is flapping", "has stopped flapping")
    titles = [title for title, _ in expected]
    assert [word for word in words if not any(word in title for title in titles)] == []


@pytest.mark.parametrize("offset", range(0, STEPS, 4))
def test_each_change_is_told_once_over_crashes_at_every_step(
    tmp_path: Path,
    sender: Sender,
    receive: Callable[[Callable[[dict[str, Any]], int]], WebhookReceiver],
    expected: list[tuple[str, str]],
    offset: int,
) -> None:
    """A message that is sent again after a crash has the same id, and says that it may be a repetition."""
    receiver = receive(failing_at_times(offset))
    watch = Watch(
        flapping_script(),
        tmp_path / "state",
        sender=sender,
        url=receiver.url,
        policy=Policy(remind=600),
        crash_step=lambda number: (number + offset) % STEPS,
    )
    watch.run()
    assert watch.restarts > ROUNDS / 4
    # The last messages may wait for their next attempt when the rounds end.
    delivered = list(distinct(receiver))
    assert delivered == expected[: len(delivered)]
    assert len(expected) - len(delivered) <= 3
    ids = [message["message"].partition("Message ")[2][:12] for message in receiver.messages]
    repeated = [message for position, message in enumerate(receiver.messages) if ids[position] in ids[:position]]
    assert all(REPETITION in message["message"] for message in repeated)
    assert len(repeated) <= watch.restarts
