"""The messages about a service, round after round, in simulated time."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from healthguard.monitor.advance import advance
from healthguard.monitor.mutes import Mutes
from healthguard.monitor.observation import Observation
from healthguard.monitor.policy import Policy
from healthguard.monitor.state import State
from healthguard.monitor.track import Event
from healthguard.status import Fault
from tests.monitor.simulation import BEGIN, HEALTHY, INTERVAL, POLICY, Watch, degraded, failing, sighting

DOWN, WRONG = failing(), failing(Fault.CONFIG)
SLOW = degraded()


def titles(tmp_path: Path, rounds: Sequence[Observation], **options: float) -> list[str]:
    """Return the titles of the messages about these rounds."""
    watch = Watch([[item] for item in rounds], tmp_path / "state", policy=Policy(**options))  # type: ignore[arg-type]
    watch.run()
    return watch.record.titles


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        pytest.param([HEALTHY] * 20, [], id="nothing happens"),
        pytest.param([HEALTHY, DOWN, HEALTHY], [], id="one failing round"),
        pytest.param([HEALTHY, DOWN, DOWN], ["service on web is unhealthy"], id="two failing rounds"),
        pytest.param([DOWN, DOWN], ["service on web is unhealthy"], id="failing from the start"),
        pytest.param([HEALTHY, DOWN, DOWN, DOWN, DOWN], ["service on web is unhealthy"], id="told once"),
        pytest.param([HEALTHY, WRONG], ["service on web is unhealthy"], id="a wrong configuration needs one round"),
        pytest.param(
            [DOWN, DOWN, HEALTHY, HEALTHY],
            ["service on web is unhealthy", "service on web is healthy again"],
            id="restored",
        ),
        pytest.param([HEALTHY, *[SLOW] * 4, HEALTHY], [], id="four degraded rounds"),
        pytest.param([HEALTHY, *[SLOW] * 5], ["service on web is degraded"], id="five degraded rounds"),
        pytest.param([HEALTHY, degraded(Fault.CONFIG)], ["service on web is degraded"], id="degraded by configuration"),
        pytest.param(
            [*[SLOW] * 5, DOWN, DOWN],
            ["service on web is degraded", "service on web is now unhealthy"],
            id="worse",
        ),
        pytest.param(
            [DOWN, DOWN, WRONG],
            ["service on web is unhealthy", "service on web is now unhealthy"],
            id="another reason that somebody must fix",
        ),
        pytest.param([failing(is_critical=False)] * 2, ["service on web is degraded"], id="not critical"),
    ],
)
def test_messages_about_rounds(tmp_path: Path, rounds: list[Observation], expected: list[str]) -> None:
    assert titles(tmp_path, rounds) == expected


@pytest.mark.parametrize(("after", "expected"), [(4, []), (3, ["service on web is unhealthy"])])
def test_number_of_failing_rounds_can_be_set(tmp_path: Path, after: int, expected: list[str]) -> None:
    assert titles(tmp_path, [DOWN] * 3, after=after) == expected


def test_restored_message_contains_the_duration(tmp_path: Path) -> None:
    watch = Watch([[item] for item in [*[DOWN] * 12, HEALTHY]], tmp_path / "state")
    watch.run()
    assert "is healthy again, after 12 min." in watch.record.messages[-1].body


def test_reminders_are_sent_in_time(tmp_path: Path) -> None:
    """One reminder each 30 rounds, counted from the last message."""
    found = titles(tmp_path, [*[DOWN] * 100, HEALTHY], remind=1800)
    assert found == [
        "service on web is unhealthy",
        *["service on web is still unhealthy"] * 3,
        "service on web is healthy again",
    ]


def test_flapping_is_told_once_and_again_when_it_has_settled(tmp_path: Path) -> None:
    assert titles(tmp_path, [*[DOWN, HEALTHY] * 20, *[HEALTHY] * 20]) == [
        "service on web is flapping: its status changes again and again",
        "service on web has stopped flapping and is healthy",
    ]


def test_service_that_settles_unhealthy_is_told_with_its_problem_and_restored_later(tmp_path: Path) -> None:
    watch = Watch([[item] for item in [*[HEALTHY, DOWN] * 8, *[DOWN] * 10, HEALTHY]], tmp_path / "state")
    watch.run()
    assert watch.record.titles[1:] == [
        "service on web has stopped flapping and is unhealthy",
        "service on web is healthy again",
    ]
    assert "The plug is out. [plug_out, outage]\nFix: Put it in." in watch.record.messages[1].body


def test_six_changes_in_ten_rounds_are_not_flapping(tmp_path: Path) -> None:
    rounds = [HEALTHY, DOWN, HEALTHY, DOWN, HEALTHY, DOWN, HEALTHY, *[HEALTHY] * 10]
    assert titles(tmp_path, rounds) == []


@pytest.mark.parametrize("seed", range(20))
def test_healthy_day_with_hiccups_of_a_provider_is_silent(seed: int) -> None:
    """1,440 rounds, of which one in a hundred is degraded by the provider."""
    chance = random.Random(seed)
    state = State()
    events: list[Event] = []
    for number in range(1440):
        seen = sighting(SLOW if chance.random() < 0.01 else HEALTHY)
        outcome = advance(state, {"web": seen}, POLICY, Mutes(), BEGIN + number * INTERVAL)
        state = outcome.state
        events += outcome.events
    assert events == []


def test_several_changes_of_one_round_are_in_one_message(tmp_path: Path) -> None:
    services = [failing(Fault.CONFIG, f"service{number}") for number in range(4)]
    watch = Watch([services], tmp_path / "state")
    watch.run()
    (message,) = watch.record.messages
    assert message.title == "healthguard: service0 on web is unhealthy (and 3 more)"
    assert [f"service{number} on web is unhealthy" in message.body for number in range(4)] == [True] * 4


def test_long_message_is_cut_and_says_how_many_are_left_out(tmp_path: Path) -> None:
    watch = Watch([[failing(Fault.CONFIG, f"service{number}") for number in range(300)]], tmp_path / "state")
    watch.run()
    (message,) = watch.record.messages
    assert len(message.body) <= 3000
    shown = message.body.count(" is unhealthy, since ")
    assert f"And {300 - shown} more: see manage.py healthguard history." in message.body
    assert message.body.endswith(f"Message {message.id}")


def test_service_that_is_no_longer_declared_is_told_if_it_was_failing(tmp_path: Path) -> None:
    other = failing(Fault.CONFIG, "other")
    watch = Watch([[HEALTHY, other], [HEALTHY]], tmp_path / "state")
    watch.run()
    assert watch.record.titles == ["other on web is unhealthy", "other on web is no longer monitored"]
    assert [(change.service, change.status) for change in watch.changes][-1] == ("other", None)


def test_each_change_of_status_is_recorded(tmp_path: Path) -> None:
    watch = Watch([[item] for item in [HEALTHY, DOWN, HEALTHY, HEALTHY]], tmp_path / "state")
    watch.run()
    assert [(change.previous, change.status) for change in watch.changes] == [
        ("unknown", "healthy"),
        ("healthy", "unhealthy"),
        ("unhealthy", "healthy"),
    ]


def test_result_that_an_instance_has_cached_counts_once(tmp_path: Path) -> None:
    """The key of an AI provider is verified every five minutes, so each result is in five rounds."""
    once = [dataclasses.replace(SLOW, checked_at=1.0)] * 9
    again = [dataclasses.replace(SLOW, checked_at=2.0)]
    assert titles(tmp_path, [HEALTHY, *once]) == []
    assert titles(tmp_path, [*once, *again]) == ["service on web is degraded"]


@pytest.mark.parametrize(("other", "kind"), [(HEALTHY, "success"), (WRONG, "info")])
def test_message_is_a_success_only_if_nothing_fails_any_more(tmp_path: Path, other: Observation, kind: str) -> None:
    """Receivers close an incident when they get a success."""
    beside = dataclasses.replace(other, service="other")
    watch = Watch([[WRONG, beside], [HEALTHY, beside]], tmp_path / "state")
    watch.run()
    assert watch.record.messages[-1].title == "healthguard: service on web is healthy again"
    assert watch.record.messages[-1].kind == kind
